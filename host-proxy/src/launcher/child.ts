import { spawn } from "node:child_process";
import { lstatSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import type { Log } from "../log.ts";
import type { ConsoleFile } from "./console-file.ts";
import type { Exit } from "./launcher.ts";
import { logOutput } from "./output.ts";

/** Milliseconds between SIGTERM and SIGKILL. */
export const TERMINATE_MS = 3_000;
/** Milliseconds between two looks for a socket that a program shall make. */
const LOOK_EVERY_MS = 20;

/** A program that runs beside this one. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /**
   * SIGTERM, and the end of its input where that ends it; then SIGKILL after {@link TERMINATE_MS}; resolves when it has
   * ended.
   */
  stop(): Promise<Exit>;
}

/** How a program is started. */
export interface ChildOptions {
  readonly folder: string;
  /** All of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Keeps its standard input open, without ever writing to it, for as long as this process lives. */
  readonly holdInput?: boolean;
  /** It ends when its standard input does, and once it runs ignores SIGTERM. */
  readonly endsWithInput?: boolean;
  /** Where its standard output goes beside the log. */
  readonly console?: ConsoleFile | undefined;
  readonly log: Log;
}

/**
 * Starts a program with the environment it is given and no other, logging what it prints. `null` when the system does
 * not start it.
 */
export function startChild([program = "", ...args]: readonly string[], options: ChildOptions): Child | null {
  const child = spawn(program, args, {
    cwd: options.folder,
    env: { ...options.environment },
    stdio: [options.holdInput === true ? "pipe" : "ignore", "pipe", "pipe"],
    // A terminal's interrupt is for the host, which stops its programs in order.
    detached: true,
  });
  // A broken pipe is the program's end, which `exited` tells.
  child.stdin?.on("error", () => child.stdin?.destroy());
  if (child.stdout !== null) logOutput(child.stdout, "stdout", options.log, options.console);
  if (child.stderr !== null) logOutput(child.stderr, "stderr", options.log);
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", () => resolve({ exitCode: undefined, exitSignal: undefined }));
    child.once("exit", (exitCode, exitSignal) =>
      resolve({ exitCode: exitCode ?? undefined, exitSignal: exitSignal ?? undefined }),
    );
  });
  const { pid } = child;
  if (pid === undefined) return null;
  return {
    pid,
    exited,
    async stop() {
      if (options.endsWithInput === true) child.stdin?.end();
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

/**
 * Waits until a program has made its socket.
 * @throws CmcpError `ENCLAVE_UNAVAILABLE` when it ends or `ms` are over first
 */
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
