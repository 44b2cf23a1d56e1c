import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { GUEST_READY_PORT } from "../launcher/vsock/ports.ts";

/** Names under which fakeProgram programs note their process ids. */
export type FakeProgramName = "qemu" | "daemon" | "tpm";

const NAMES: readonly FakeProgramName[] = ["qemu", "daemon", "tpm"];
const LOOKS = 500;
const LOOK_EVERY_MS = 20;

/** What the programs beside a machine do in a test that boots none. */
export const FOREVER = "setInterval(() => {}, 1000);";
/** Listens where the vsock daemon is told to, connects as a guest whose vsock works, and answers as one that serves. */
export const SERVING_DAEMON = `
const [, socket, uds] = /socket=([^,]+),uds-path=(.+)/.exec(process.argv.at(-1));
createServer().listen(socket);
connect(uds + "_${GUEST_READY_PORT}").on("error", () => {});
createServer((c) => { c.on("error", () => {}); c.once("data", () => c.write("OK 1\\n")); }).listen(uds);`;
/** As above, with a guest that never answers. */
export const SILENT_DAEMON = SERVING_DAEMON.replace('c.write("OK 1\\n")', "{}");
export const LISTENING_TPM = `createServer().listen(/path=(.+)/.exec(process.argv.at(-1))[1]);`;

/**
 * A program made of JavaScript that notes its process id in `<name>.pid` of `folder`, and its arguments in
 * `<name>.args`.
 */
export function fakeProgram(folder: string, name: FakeProgramName, body: string): readonly [string, string] {
  const script = join(folder, `${name}.mjs`);
  const note = (kind: string, value: string): string =>
    `writeFileSync(${JSON.stringify(join(folder, `${name}.${kind}`))}, ${value});`;
  writeFileSync(
    script,
    'import { writeFileSync } from "node:fs"; import { connect, createServer } from "node:net"; ' +
      `${note("args", "JSON.stringify(process.argv.slice(2))")} ${note("pid", "String(process.pid)")}\n${body}`,
  );
  return [process.execPath, script];
}

/** Process id that a program recordedPid last. */
export function recordedPid(folder: string, name: FakeProgramName): number | undefined {
  const path = join(folder, `${name}.pid`);
  return existsSync(path) ? Number(readFileSync(path, "utf8")) : undefined;
}

/** Whether the process that a program recordedPid is there. */
export function isAlive(folder: string, name: FakeProgramName): boolean {
  const pid = recordedPid(folder, name);
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function becomes(folder: string, alive: boolean): Promise<void> {
  for (const name of NAMES) {
    for (let look = 0; look < LOOKS && isAlive(folder, name) !== alive; look += 1) await delay(LOOK_EVERY_MS);
    if (isAlive(folder, name) !== alive) throw new Error(`${name} is ${alive ? "not there" : "still there"}`);
  }
}

/** Waits until all have recordedPid themselves: the daemon that pretends may serve before the others have. */
export async function waitUntilAllAlive(folder: string): Promise<void> {
  await becomes(folder, true);
}

/** Waits until none is there. */
export async function waitUntilAllGone(folder: string): Promise<void> {
  await becomes(folder, false);
}
