import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, lstatSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { logOutput } from "../launcher/output.ts";
import type { Exit } from "../launcher/process.ts";
import type { Log } from "../log.ts";

/** A program and the arguments that come before any other: where it is not installed, its loader's. */
export type Command = readonly [string, ...string[]];

/** Milliseconds between SIGTERM and SIGKILL. */
const TERMINATE_MS = 3_000;
/** Milliseconds between two looks for a socket that a program shall make. */
const LOOK_EVERY_MS = 20;
/** Makes the kernel kill the program when this process ends, however it ends (prctl(2), PR_SET_PDEATHSIG). */
const END_WITH_HOST = "/usr/bin/setpriv";

/** A program that runs beside this one. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, then SIGKILL after {@link TERMINATE_MS}; resolves when it has ended. */
  stop(): Promise<Exit>;
}

/** Refuses a command whose program cannot be executed. @throws CmcpError `LAUNCH_PROGRAM_MISSING` */
export function requireProgram(what: string, command: Command | null): asserts command is Command {
  const missing = (): never => {
    throw new CmcpError("LAUNCH_PROGRAM_MISSING", `${what} is needed and ${command === null ? "not named" : `${command[0]} cannot be executed`}`);
  };
  if (command === null) return missing();
  try {
    accessSync(command[0], constants.X_OK);
  } catch {
    missing();
  }
}

/** Starts a program without an environment, logging what it prints. @throws CmcpError `LAUNCH_PROGRAM_MISSING` */
export function startChild(what: string, command: Command, args: readonly string[], folder: string, log: Log): Child {
  requireProgram(what, command);
  const [program, ...rest] = existsSync(END_WITH_HOST) ? ([END_WITH_HOST, "--pdeathsig", "KILL", "--", ...command] as const) : command;
  const child = spawn(program, [...rest, ...args], { cwd: folder, env: {}, stdio: ["ignore", "pipe", "pipe"], detached: true });
  logOutput(child.stdout, "stdout", log);
  logOutput(child.stderr, "stderr", log);
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", () => resolve({ exitCode: undefined, exitSignal: undefined }));
    child.once("exit", (exitCode, exitSignal) => resolve({ exitCode: exitCode ?? undefined, exitSignal: exitSignal ?? undefined }));
  });
  const { pid } = child;
  if (pid === undefined) throw new CmcpError("LAUNCH_PROGRAM_MISSING", `${what}: ${command[0]} did not start`);
  return {
    pid,
    exited,
    async stop() {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), TERMINATE_MS);
      try {
        return await exited;
      } finally {
        clearTimeout(force);
      }
    },
  };
}

/** Waits until a program has made its socket. @throws CmcpError `ENCLAVE_UNAVAILABLE` when it ends or `ms` are over first */
export async function socketOf(what: string, child: Child, path: string, ms: number): Promise<void> {
  const ended = new AbortController();
  const waiting = AbortSignal.any([AbortSignal.timeout(ms), ended.signal]);
  void child.exited.then(() => ended.abort());
  while (!waiting.aborted) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) return;
    await delay(LOOK_EVERY_MS);
  }
  throw new CmcpError("ENCLAVE_UNAVAILABLE", `${what} ended or did not listen within ${ms} ms`);
}
