/** The launcher of machines, with programs that only pretend. Real machines are in test/vm. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { unixDialer } from "@cmcp/wire";
import { startHost } from "../../host.ts";
import { imageFolder } from "../../testing/image-folder.ts";
import { memoryLog } from "../../testing/memory-log.ts";
import {
  waitUntilAllAlive,
  waitUntilAllGone,
  FOREVER,
  LISTENING_TPM,
  recordedPid,
  fakeProgram,
  SERVING_DAEMON,
  SILENT_DAEMON,
} from "../../testing/fake-programs.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import type { Launcher } from "../launcher.ts";
import { EnclaveSupervisor } from "../supervisor.ts";
import { lockVsock } from "../vsock/lock.ts";
import { kvmProblem } from "./accelerators.ts";
import { openQemuLauncher, type QemuSettings } from "./launcher.ts";

const DOCUMENT = Buffer.from("document");
const { signal: never } = new AbortController();

// Runtime folders of this file's launchers only, so that what is left behind can be told.
const temporary = mkdtempSync(join(tmpdir(), "cmcp-test-"));
process.env["TMPDIR"] = temporary;
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));

interface Setting {
  readonly folder: string;
  readonly settings: QemuSettings;
}

function setting(t: TestContext, daemon = SERVING_DAEMON): Setting {
  const folder = temporaryDirectory(t);
  const programs = {
    qemu: fakeProgram(folder, "qemu", `console.log("firmware says hello"); ${FOREVER}`),
    vsockDaemon: fakeProgram(folder, "daemon", daemon),
    swtpm: fakeProgram(folder, "tpm", LISTENING_TPM),
    dataFolders: [],
  };
  return {
    folder,
    settings: {
      launcher: "qemu",
      image: imageFolder(t),
      platform: "vtpm",
      memoryMegabytes: 512,
      processors: 1,
      processorModel: null,
      accelerator: "tcg",
      vsock: { kind: "daemon" },
      consolePath: join(folder, "console.log"),
      tpmState: join(folder, "deployment/tpm"),
      programs,
    },
  };
}

async function opened(t: TestContext, settings: QemuSettings): Promise<{ launcher: Launcher; log: () => string }> {
  const { log, text } = memoryLog();
  const launcher = await openQemuLauncher(settings, DOCUMENT, log);
  t.after(() => launcher.close());
  return { launcher, log: text };
}

/** Runtime folders of launchers, which are the ones no test made. */
function runtimeFolders(): string[] {
  return readdirSync(temporary).filter((name) => !name.startsWith("cmcp-test-"));
}

test("it starts a machine that is measured by this host's TPM, keeps its console, and leaves nothing behind", async (t) => {
  const { folder, settings } = setting(t);
  const { launcher, log } = await opened(t, settings);
  assert.deepEqual(launcher.placement, { launcher: "qemu", isolation: "machine", measuredBy: "host-tpm" });
  const services = await launcher.listen((stream) => stream.end("services"));
  const machine = await launcher.start(never);
  await waitUntilAllAlive(folder);
  assert.equal(machine.pid, recordedPid(folder, "qemu"));
  (await launcher.dialer.dial(never)).destroy();
  const [, uds = ""] = /uds-path=([^"]+)/.exec(readFileSync(join(folder, "daemon.args"), "utf8")) ?? [];
  const stream = await unixDialer(`${uds}_6000`).dial(never);
  assert.equal(String(await stream.toArray()), "services", "a guest that dials its host's port finds the services");
  assert.match(log(), /"platform":"vtpm","accelerator":"tcg"/);
  while (!readFileSync(settings.consolePath, "utf8").includes("firmware says hello"))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await machine.stop();
  await waitUntilAllGone(folder);
  await services.close();
  await launcher.close();
  assert.deepEqual(runtimeFolders(), []);
});

test("the TPM's state stays where the deployment has it, for the next gateway, and is this user's alone", async (t) => {
  const { folder, settings } = setting(t);
  for (let start = 0; start < 2; start += 1) {
    const { launcher } = await opened(t, settings);
    await (await launcher.start(never)).stop();
    await waitUntilAllGone(folder);
    await launcher.close();
    assert.match(readFileSync(join(folder, "tpm.args"), "utf8"), new RegExp(`dir=${settings.tpmState}"`));
    assert.equal(statSync(settings.tpmState).mode & 0o777, 0o700);
    // What swtpm would have written.
    if (start === 0) writeFileSync(join(settings.tpmState, "tpm2-00.permall"), "keys");
    assert.equal(readFileSync(join(settings.tpmState, "tpm2-00.permall"), "utf8"), "keys");
  }
});

test("that the kernel does not end the machine with its host is said, with the package that makes it", async (t) => {
  const { settings } = setting(t);
  const programs = settings.programs ?? assert.fail();
  const said = /"level":40.*there is no setpriv: .*install the package util-linux/;
  assert.match(
    (await opened(t, { ...settings, programs: { ...programs, setpriv: "/nonexistent/setpriv" } })).log(),
    said,
  );
  assert.doesNotMatch(
    (await opened(t, { ...settings, programs: { ...programs, setpriv: process.execPath } })).log(),
    said,
  );
});

test("a machine that dies is replaced by the supervisor that processes have, with its delays", async (t) => {
  const { folder, settings } = setting(t);
  const { launcher } = await opened(t, settings);
  const { log, text } = memoryLog();
  const second = Promise.withResolvers<void>();
  let ups = 0;
  const supervisor = new EnclaveSupervisor(
    {
      start: (signal) => launcher.start(signal),
      up: () => {
        ups += 1;
        if (ups === 2) second.resolve();
        return Promise.resolve();
      },
      down: () => Promise.resolve(),
    },
    log,
    { firstMs: 1, mostMs: 2, stableMs: 60_000 },
  );
  t.after(() => supervisor.close());
  await supervisor.start();
  await waitUntilAllAlive(folder);
  const first = recordedPid(folder, "qemu");
  process.kill(first ?? assert.fail(), "SIGKILL");
  await second.promise;
  assert.notEqual(supervisor.pid, first);
  assert.match(text(), /"exitSignal":"SIGKILL","msg":"enclave ended"/);
  await supervisor.close();
  await waitUntilAllGone(folder);
});

test("an accelerator that is of no use is found out once", async (t) => {
  const { folder, settings } = setting(
    t,
    SERVING_DAEMON.replace('c.write("OK 1\\n")', 'setTimeout(() => c.write("OK 1\\n"), 300)'),
  );
  const qemu = fakeProgram(folder, "qemu", `if (process.argv.includes("kvm")) process.exit(1); ${FOREVER}`);
  const { launcher, log } = await opened(t, {
    ...settings,
    accelerator: "auto",
    programs: { ...(settings.programs ?? assert.fail()), qemu },
  });
  const tried = (): number => log().split("the next accelerator is tried").length - 1;
  await (await launcher.start(never)).stop();
  const first = tried();
  assert.equal(first, kvmProblem() === null ? 1 : 0);
  await (await launcher.start(never)).stop();
  assert.equal(tried(), first);
  assert.match(
    log(),
    first === 0 ? /KVM cannot be used: the machine is emulated, which is slow/ : /"accelerator":"tcg"/,
  );
});

test("a vsock daemon that stalls ends the machine, so that another can be started", async (t) => {
  const { folder, settings } = setting(t);
  const { launcher, log } = await opened(t, { ...settings, watch: { everyMs: 20, dialMs: 1_000, attempts: 2 } });
  const machine = await launcher.start(never);
  await waitUntilAllAlive(folder);
  process.kill(recordedPid(folder, "daemon") ?? assert.fail(), "SIGSTOP");
  await machine.exited;
  assert.match(log(), /the enclave can be reached no more; its machine is stopped/);
  await waitUntilAllGone(folder);
});

test("a start is given up when the host closes, without waiting for a guest that does not answer", async (t) => {
  const { folder, settings } = setting(t, SILENT_DAEMON);
  const stop = new AbortController();
  const starting = startHost({
    listen: { host: "127.0.0.1", port: 0 },
    launch: DOCUMENT,
    provision: DOCUMENT,
    egressAllow: [],
    storePath: null,
    witnesses: null,
    enclave: settings,
    log: memoryLog().log,
    signal: stop.signal,
  });
  await waitUntilAllAlive(folder);
  stop.abort();
  await assert.rejects(starting, { code: "ENCLAVE_UNAVAILABLE" });
  await waitUntilAllGone(folder);
  assert.deepEqual(runtimeFolders(), []);
});

test("what cannot come up is refused before anything is started or held", async (t) => {
  const { folder, settings } = setting(t);
  const { log } = memoryLog();
  const programs = settings.programs ?? assert.fail();
  const large = imageFolder(t);
  truncateSync(join(large, "initramfs.cpio.zst"), 300 * 1024 * 1024);
  const wrong: readonly (readonly [Partial<QemuSettings>, string, RegExp])[] = [
    [{ programs: { ...programs, qemu: null } }, "LAUNCH_PROGRAM_MISSING", /install the package qemu-system-x86/],
    [{ programs: { ...programs, swtpm: null } }, "LAUNCH_PROGRAM_MISSING", /install the package swtpm/],
    [
      { programs: { ...programs, vsockDaemon: null } },
      "LAUNCH_PROGRAM_MISSING",
      /install the package vhost-device-vsock/,
    ],
    [{ image: "/nonexistent" }, "LAUNCH_MACHINE_INVALID", /vmlinuz of the image cannot be read/],
    [{ image: large }, "LAUNCH_MACHINE_INVALID", /raise qemu\.memory_mb/],
    [{ memoryMegabytes: 511 }, "LAUNCH_MACHINE_INVALID", /memory is 511 MB/],
    [{ vsock: { kind: "kernel", cid: 3, addon: "/nonexistent/vsock.node" } }, "LAUNCH_PROGRAM_MISSING", /vsock addon/],
  ];
  for (const [change, code, message] of wrong)
    await assert.rejects(openQemuLauncher({ ...settings, ...change }, DOCUMENT, log), { code, message });
  assert.ok(["qemu", "daemon", "tpm"].every((name) => !existsSync(join(folder, `${name}.pid`))));
  assert.deepEqual(runtimeFolders(), []);
  // The lock of the last one was given back.
  await (await lockVsock({ cid: 3 })).release();
});

test("two gateways on one CID: the second is refused, and starts nothing", async (t) => {
  const { folder, settings } = setting(t);
  const cid = 4_100_000_000 + (process.pid % 1_000_000);
  const held = await lockVsock({ cid });
  t.after(() => held.release());
  await assert.rejects(
    openQemuLauncher({ ...settings, vsock: { kind: "kernel", cid, addon: "/nonexistent" } }, DOCUMENT, memoryLog().log),
    { code: "LAUNCH_VSOCK_IN_USE", message: new RegExp(`vsock CID ${cid}`) },
  );
  assert.equal(existsSync(join(folder, "qemu.pid")), false);
});
