/** The launcher with programs that only pretend: what is started, stopped and said. Real machines are in test/vm. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { memoryLog } from "../../testing/memory-log.ts";
import {
  waitUntilAllAlive,
  waitUntilAllGone,
  FOREVER,
  LISTENING_TPM,
  fakeProgram,
  SERVING_DAEMON,
  SILENT_DAEMON,
} from "../../testing/fake-programs.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { GUEST_READY_PORT } from "../vsock/ports.ts";
import { accelerators, startMachine } from "./accelerators.ts";
import type { Machine } from "./machine.ts";
import { startQemu, type QemuOptions } from "./qemu.ts";

const WAIT_MS = 30_000;

interface Setting {
  readonly folder: string;
  readonly options: QemuOptions;
  readonly log: () => string;
}

function setting(
  t: TestContext,
  bodies: { qemu?: string; daemon?: string; tpm?: string | null },
  platform: "none" | "vtpm" = "none",
): Setting {
  const folder = temporaryDirectory(t);
  const variables = join(folder, "VARS.fd");
  writeFileSync(variables, "published");
  const machine: Machine = {
    platform,
    boot: { kernel: "/k", initramfs: "/i", commandLine: "c" },
    firmware: platform === "vtpm" ? { code: "/c", variables } : null,
    memoryMegabytes: 512,
    processors: 1,
    processorModel: "EPYC",
    launchDigest: null,
  };
  const { log, text } = memoryLog();
  const programs = {
    qemu: fakeProgram(folder, "qemu", bodies.qemu ?? FOREVER),
    dataFolders: [],
    vsockDaemon: fakeProgram(folder, "daemon", bodies.daemon ?? SERVING_DAEMON),
    swtpm: bodies.tpm === null ? null : fakeProgram(folder, "tpm", bodies.tpm ?? LISTENING_TPM),
  };
  return {
    folder,
    options: { machine, programs, vsock: { kind: "daemon" }, accelerator: "tcg", folder, startMs: WAIT_MS, log },
    log: text,
  };
}

test("a machine is up when its enclave can be dialled, and stops as a whole", async (t) => {
  const { folder, options } = setting(t, {}, "vtpm");
  const machine = await startQemu(options);
  await waitUntilAllAlive(folder);
  assert.equal(
    readFileSync(join(folder, "variables.fd"), "utf8"),
    "published",
    "the published variables are not written to",
  );
  (await machine.dialer.dial(new AbortController().signal)).destroy();
  await machine.stop();
  await machine.exited;
  await waitUntilAllGone(folder);
});

test("a machine that ends early is an error that names no guess, and leaves nothing behind", async (t) => {
  const { folder, options, log } = setting(
    t,
    { qemu: `console.error("could not set up guest memory"); process.exit(1);`, daemon: SILENT_DAEMON },
    "vtpm",
  );
  await assert.rejects(startQemu(options), { code: "ENCLAVE_UNAVAILABLE" });
  assert.match(log(), /could not set up guest memory/);
  await waitUntilAllGone(folder);
});

test("a guest that never serves is given up after the time allowed", async (t) => {
  const { folder, options } = setting(t, { daemon: SILENT_DAEMON });
  await assert.rejects(startQemu({ ...options, startMs: 500 }), { code: "ENCLAVE_UNAVAILABLE" });
  await waitUntilAllGone(folder);
});

test("nothing is dialled before the guest has said that its vsock works", async (t) => {
  const told = join(temporaryDirectory(t), "dialled");
  const mute = SERVING_DAEMON.replace(/^connect.*$/m, "").replace(
    'c.on("error"',
    `writeFileSync(${JSON.stringify(told)}, ""); c.on("error"`,
  );
  const { folder, options } = setting(t, { daemon: mute });
  await assert.rejects(startQemu({ ...options, startMs: 1_000 }), { code: "ENCLAVE_UNAVAILABLE" });
  assert.equal(existsSync(told), false);
  await waitUntilAllGone(folder);
  const late = mute.replace(
    "createServer().listen(socket);",
    `createServer().listen(socket); setTimeout(() => connect(uds + "_${GUEST_READY_PORT}"), 300);`,
  );
  const other = setting(t, { daemon: late });
  const machine = await startQemu(other.options);
  assert.equal(existsSync(told), true);
  await machine.stop();
  await waitUntilAllGone(other.folder);
});

test("a vsock daemon or TPM that does not come up stops the start", async (t) => {
  for (const bodies of [{ daemon: "process.exit(1);" }, { tpm: "process.exit(1);" }]) {
    const { folder, options } = setting(t, bodies, "vtpm");
    await assert.rejects(startQemu(options), { code: "ENCLAVE_UNAVAILABLE" });
    assert.equal(existsSync(join(folder, "qemu.pid")), false);
    await waitUntilAllGone(folder);
  }
});

test("without a program it needs nothing is started", async (t) => {
  const { folder, options } = setting(t, { tpm: null }, "vtpm");
  await assert.rejects(startQemu(options), {
    code: "LAUNCH_PROGRAM_MISSING",
    message: /software TPM is needed and swtpm is not in PATH: install the package swtpm/,
  });
  await assert.rejects(startQemu({ ...options, programs: { ...options.programs, vsockDaemon: null } }), {
    code: "LAUNCH_PROGRAM_MISSING",
    message: /vsock daemon .* install the package vhost-device-vsock/,
  });
  const [node, script = ""] = options.programs.qemu ?? [];
  assert.equal(node, process.execPath);
  chmodSync(script, 0o644);
  await assert.rejects(startQemu({ ...options, programs: { ...options.programs, qemu: [script] } }), {
    code: "LAUNCH_PROGRAM_MISSING",
    message: /QEMU .* cannot be executed: install the package qemu-system-x86/,
  });
  await assert.rejects(startQemu({ ...options, machine: { ...options.machine, memoryMegabytes: 1 } }), {
    code: "LAUNCH_MACHINE_INVALID",
  });
  assert.ok(["qemu", "daemon", "tpm"].every((name) => !existsSync(join(folder, `${name}.pid`))));
});

test("when one program of a running machine ends, the machine has ended", async (t) => {
  for (const name of ["qemu", "daemon", "tpm"]) {
    const { folder, options } = setting(t, {}, "vtpm");
    const machine = await startQemu(options);
    await waitUntilAllAlive(folder);
    process.kill(Number(readFileSync(join(folder, `${name}.pid`), "utf8")), "SIGKILL");
    await machine.exited;
    await waitUntilAllGone(folder);
  }
});

test("a host that is killed takes its machine with it", async (t) => {
  const { folder, options } = setting(t, {}, "vtpm");
  const { log: _, ...plain } = options;
  const host = join(folder, "host.ts");
  const source = join(import.meta.dirname, "qemu.ts");
  writeFileSync(
    host,
    `import { startQemu } from ${JSON.stringify(source)};\nconst quiet = () => {};\nawait startQemu({ ` +
      `...${JSON.stringify(plain)}, log: { debug: quiet, info: quiet, warn: quiet, error: quiet } ` +
      '});\nprocess.stdout.write("up");\nsetInterval(() => {}, 1000);',
  );
  const running = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", host], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(running.stdout, "data");
  await waitUntilAllAlive(folder);
  running.kill("SIGKILL");
  await waitUntilAllGone(folder);
});

test("a start that is given up is not begun again with the next accelerator", async (t) => {
  const { folder, options, log } = setting(t, { daemon: SILENT_DAEMON }, "vtpm");
  const stop = new AbortController();
  const starting = startMachine({ ...options, signal: stop.signal }, ["kvm", "tcg"]);
  await waitUntilAllAlive(folder);
  stop.abort();
  await assert.rejects(starting, { code: "ENCLAVE_UNAVAILABLE" });
  assert.doesNotMatch(log(), /next accelerator/);
  await waitUntilAllGone(folder);
});

test("KVM is tried first where it opens, and what does not come up under it comes up without", async (t) => {
  const kvm = join(temporaryDirectory(t), "kvm");
  writeFileSync(kvm, "");
  assert.deepEqual(accelerators({ platform: "vtpm" }, kvm), ["kvm", "tcg"]);
  assert.deepEqual(accelerators({ platform: "vtpm" }, "/nonexistent"), ["tcg"]);
  for (const platform of ["sev-snp", "tdx"] as const) {
    assert.deepEqual(accelerators({ platform }, kvm), ["kvm"]);
    assert.throws(() => accelerators({ platform }, "/nonexistent"), {
      code: "LAUNCH_HARDWARE_MISSING",
      message: new RegExp(`a ${platform} machine needs KVM: there is no /nonexistent; load the kernel module`),
    });
  }

  const useless = `if (process.argv.includes("kvm")) process.exit(1);\n${FOREVER}`;
  const daemon = SERVING_DAEMON.replace('c.write("OK 1\\n")', 'setTimeout(() => c.write("OK 1\\n"), 300)');
  const { folder, options, log } = setting(t, { qemu: useless, daemon });
  const machine = await startMachine(options, ["kvm", "tcg"]);
  assert.equal(machine.accelerator, "tcg");
  assert.match(log(), /next accelerator/);
  await machine.stop();
  await waitUntilAllGone(folder);
});
