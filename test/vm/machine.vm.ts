/** Machines that end, hang, or cannot serve: each is noticed, none leaves anything behind. */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError, examine } from "@cmcp/boundary";
import { ExchangePool, hybridVsockDialer, type OutgoingExchange } from "@cmcp/wire";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { startMachine } from "../../host-proxy/src/launcher/qemu/accelerators.ts";
import { ENCLAVE_PORT } from "../../host-proxy/src/launcher/vsock/ports.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";
import { debugMachine, programs, published, started, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";

const STALLED_MS = 3_000;
/** Dials given up of a guest that listens, after 0 to 3 ms each. */
const DIALS = 200;
/** Longest wait for a guest that has such dials to take. */
const BACKLOG_MS = 30_000;
/** More than the guest has memory for, and nothing that compresses. */
const TOO_LARGE = 420 * 1024 * 1024;

async function leaving(t: TestContext): Promise<{ folder: string; machine: Machine }> {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "leaves.ts" } }, initramfs);
  return { folder, machine: debugMachine("none", initramfs) };
}

function withCommandLine(machine: Machine, change: (words: string) => string): Machine {
  assert.ok(!("unified" in machine.boot));
  return { ...machine, boot: { ...machine.boot, commandLine: change(machine.boot.commandLine) } };
}

/** Children of this process by a part of their command line. */
function children(part: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        // The parent is the field after the state (proc_pid_stat(5)).
        return (
          readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1] === String(process.pid) &&
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(part)
        );
      } catch {
        return false;
      }
    });
}

async function ask(pool: ExchangePool, path: string): Promise<OutgoingExchange> {
  const exchange = await pool.open({ t: "request", method: "GET", path, headers: {} });
  await exchange.end();
  return exchange;
}

/** Asks until the guest takes the stream: more dials at once than a listener's backlog are refused. */
async function askUntilAnswered(pool: ExchangePool, path: string): Promise<OutgoingExchange> {
  const over = AbortSignal.timeout(BACKLOG_MS);
  for (;;) {
    try {
      return await ask(pool, path);
    } catch (thrown) {
      if (over.aborted || !(thrown instanceof CmcpError) || thrown.code !== "WIRE_UNREACHABLE") throw thrown;
      await delay(100);
    }
  }
}

async function sizeOf(exchange: OutgoingExchange): Promise<number> {
  let size = 0;
  for await (const chunk of exchange.body) size += examine(chunk).length;
  return size;
}

for (const { name, shape } of [
  { name: "by ACPI", shape: (words: string) => words },
  { name: "by a reset where there is no ACPI", shape: (words: string) => `acpi=off nr_cpus=1 ${words}` },
]) {
  test(`a runtime that ends during a call ends the machine, ${name}`, async (t) => {
    const { folder, machine: description } = await leaving(t);
    const machine = await started(t, withCommandLine(description, shape), folder);
    const pool = new ExchangePool(machine.dialer, { maxStreams: 2 });
    t.after(() => pool.close());
    const answered = await ask(pool, "/answer");
    assert.equal((await answered.head).status, 200);
    assert.equal(await sizeOf(answered), 1_000_000);
    await assert.rejects((await ask(pool, "/leave")).head, { code: "WIRE_CLOSED" });
    assert.equal((await machine.exited).exitCode, 0);
    assert.deepEqual(children("cmcp-vm-"), []);
    await assert.rejects(ask(pool, "/answer"), { code: "WIRE_UNREACHABLE" });
  });
}

test("a vsock daemon that stalls is noticed by the wire, and the machine can still be stopped", async (t) => {
  const { folder, machine: description } = await leaving(t);
  const machine = await started(t, description, folder);
  const pool = new ExchangePool(machine.dialer, { maxStreams: 1, idleMs: STALLED_MS });
  t.after(() => pool.close());
  await assert.rejects(async () => (await ask(pool, "/hang")).head, { code: "WIRE_IDLE_TIMEOUT" });
  const [daemon] = children("vhost-device-vsock");
  assert.ok(daemon !== undefined);
  process.kill(daemon, "SIGSTOP");
  await assert.rejects(async () => (await ask(pool, "/answer")).head, { code: "WIRE_UNREACHABLE" });
  await machine.stop();
  assert.deepEqual(children("cmcp-vm-"), []);
});

test("dials that are given up, while the guest begins to listen and after, leave it reachable", async (t) => {
  const { folder, machine: description } = await leaving(t);
  const impatient = hybridVsockDialer(join(folder, "vsock"), ENCLAVE_PORT);
  const giveUp = async (afterMs: number): Promise<void> => {
    const dialling = impatient.dial(AbortSignal.timeout(afterMs));
    await dialling.then((stream) => stream.destroy()).catch((thrown) => assert.ok(thrown instanceof CmcpError));
  };
  const { log, text } = memoryLog();
  const booting = startMachine(
    { machine: description, programs: await programs(), vsock: { kind: "daemon" }, folder, log },
    ["tcg"],
  );
  const over = new AbortController();
  const served = booting.finally(() => over.abort());
  // PID 1 mounts it once vsock works; before that nobody may dial.
  while (!over.signal.aborted && !text().includes("erofs: (device erofs): mounted")) await delay(5);
  while (!over.signal.aborted) await giveUp(1).then(() => delay(5));
  const machine = await served;
  t.after(() => machine.stop());
  for (let dial = 0; dial < DIALS; dial += 1) await giveUp(dial % 4);
  const pool = new ExchangePool(machine.dialer, { maxStreams: 1 });
  t.after(() => pool.close());
  assert.equal(await sizeOf(await askUntilAnswered(pool, "/answer")), 1_000_000);
});

test("two machines at once do not meet", async (t) => {
  const both = await Promise.all([leaving(t), leaving(t)]);
  const machines = await Promise.all(both.map(({ folder, machine }) => started(t, machine, folder)));
  await machines[0]?.stop();
  const pool = new ExchangePool((machines[1] ?? assert.fail()).dialer, { maxStreams: 1 });
  t.after(() => pool.close());
  assert.equal(await sizeOf(await ask(pool, "/answer")), 1_000_000);
});

/** Starts what cannot serve and returns what it printed. */
async function refused(machine: Machine, folder: string): Promise<string> {
  const { log, text } = memoryLog();
  await assert.rejects(
    startMachine({ machine, programs: await programs(), vsock: { kind: "daemon" }, folder, log }, ["tcg"]),
    { code: "ENCLAVE_UNAVAILABLE" },
  );
  assert.deepEqual(children("cmcp-vm-"), []);
  return text();
}

test("PID 1 starts nothing on a machine that is not what the command line says", async (t) => {
  const { folder, machine } = await leaving(t);
  const on = (platform: string): Machine =>
    withCommandLine(machine, (words) => words.replace("cmcp.platform=none", `cmcp.platform=${platform}`));
  assert.match(await refused(on("sev-snp"), folder), /the processor gave no answer/);
  assert.match(await refused(on("tdx"), folder), /the processor gave no answer/);
  assert.match(await refused(on("vtpm"), folder), /tpmrm0/);
  assert.match(await refused(on("elsewhere"), folder), /the command line names no platform/);
});

test("a kernel out of memory panics, and a panic is the end of the machine", async (t) => {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "exhausts.ts" } }, initramfs);
  const { log, text } = memoryLog();
  const machine = await startMachine(
    { machine: debugMachine("none", initramfs), programs: await programs(), vsock: { kind: "daemon" }, folder, log },
    ["tcg"],
  );
  t.after(() => machine.stop());
  const stream = await machine.dialer.dial(AbortSignal.timeout(STALLED_MS));
  stream.on("error", () => undefined).write("now");
  await machine.exited;
  stream.destroy();
  assert.match(text(), /Kernel panic - not syncing: Out of memory/);
  assert.deepEqual(children("cmcp-vm-"), []);
});

test("an initramfs larger than the machine's memory ends in an error, not in half a guest", async (t) => {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(
    published("initramfs.cpio.zst"),
    { scripts: {}, files: { "/app/ballast": randomFillSync(Buffer.alloc(TOO_LARGE)) } },
    initramfs,
  );
  await refused(debugMachine("none", initramfs), folder);
});
