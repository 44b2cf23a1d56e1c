import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { memoryLog } from "../../testing/memory-log.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { installedPrograms, requireProgram, startProgram } from "./programs.ts";

test("programs are found as a shell would find them, by absolute folders of PATH alone", (t) => {
  const root = temporaryDirectory(t);
  for (const [folder, name, mode] of [
    ["a", "swtpm", 0o644],
    ["b", "swtpm", 0o755],
    ["c", "swtpm", 0o755],
    ["c", "qemu-system-x86_64", 0o755],
  ] as const) {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, name), "");
    chmodSync(join(root, folder, name), mode);
  }
  const found = installedPrograms(
    [join(root, "a"), relative(process.cwd(), join(root, "c")), "", join(root, "b"), join(root, "c")].join(":"),
  );
  assert.deepEqual(found, {
    qemu: [join(root, "c/qemu-system-x86_64")],
    vsockDaemon: null,
    swtpm: [join(root, "b/swtpm")],
    dataFolders: [],
  });
});

test("a program that is missing is refused with the package that has it", () => {
  const nothing = installedPrograms("");
  for (const [name, message] of [
    ["qemu", "QEMU is needed and qemu-system-x86_64 is not in PATH: install the package qemu-system-x86"],
    [
      "vsockDaemon",
      "the vsock daemon is needed and vhost-device-vsock is not in PATH: install the package vhost-device-vsock",
    ],
    ["swtpm", "the software TPM is needed and swtpm is not in PATH: install the package swtpm"],
  ] as const) {
    assert.throws(() => requireProgram(name, nothing), { code: "LAUNCH_PROGRAM_MISSING", message });
    assert.throws(() => startProgram(name, nothing, [], { folder: "/tmp", log: memoryLog().log }), {
      code: "LAUNCH_PROGRAM_MISSING",
      message,
    });
  }
});

/** The ways in which a program is made to end with its host; the kernel's where this machine has the program for it. */
const WAYS = [
  ...(existsSync("/usr/bin/setpriv") ? [["by the kernel", "/usr/bin/setpriv"] as const] : []),
  ["by a shell", "/nonexistent/setpriv"] as const,
];
const NOTHING = { qemu: null, vsockDaemon: null, swtpm: null, dataFolders: [] };
/** What a program that was killed is gone within, in milliseconds. */
const GONE_MS = 10_000;

/** Processes that belong to the session a program leads. */
function sessionOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => {
      try {
        // proc_pid_stat(5): behind the name in parentheses state, parent, group, session.
        const [state, , , session] = readFileSync(`/proc/${one}/stat`, "latin1")
          .replace(/^.*\) /s, "")
          .split(" ");
        return Number(session) === pid && state !== "Z";
      } catch {
        return false;
      }
    });
}

async function gone(pid: number): Promise<void> {
  for (const deadline = Date.now() + GONE_MS; sessionOf(pid).length > 0; await delay(10))
    assert.ok(Date.now() < deadline, `${sessionOf(pid).join()} of ${pid} still run`);
}

for (const [way, setpriv] of WAYS) {
  test(`a program ends with its host ${way}, though the host is killed`, async (t) => {
    const host = `
      import { startProgram } from ${JSON.stringify(import.meta.resolve("./programs.ts"))};
      const log = { info() {}, warn() {}, error() {} };
      const qemu = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
      console.log(startProgram("qemu", { ...${JSON.stringify(NOTHING)}, qemu, setpriv: ${JSON.stringify(setpriv)} }, [], { folder: "/", log }).pid);`;
    const running = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", host],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    t.after(() => running.kill("SIGKILL"));
    const [line] = (await once(createInterface(running.stdout), "line")) as [string];
    const pid = Number(line);
    t.after(() => sessionOf(pid).forEach((one) => process.kill(one, "SIGKILL")));
    assert.ok(sessionOf(pid).includes(pid));
    running.kill("SIGKILL");
    await gone(pid);
  });

  test(`a program that is ended ${way} leaves nothing, and its own end is told`, async () => {
    const { log } = memoryLog();
    const start = (script: string) =>
      startProgram("qemu", { ...NOTHING, qemu: [process.execPath, "-e", script], setpriv }, [], { folder: "/", log });
    const short = start("process.exit(7)");
    assert.deepEqual(await short.exited, { exitCode: 7, exitSignal: undefined });
    await gone(short.pid);
    const long = start("setInterval(() => {}, 1000)");
    assert.deepEqual(await long.stop(), { exitCode: undefined, exitSignal: "SIGTERM" });
    await gone(long.pid);
  });
}
