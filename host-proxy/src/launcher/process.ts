import { spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import type { Dialer } from "@cmcp/wire";
import type { Log } from "../log.ts";
import type { IsolationMeans } from "./isolation.ts";
import { nodeArguments, type EnclaveEntry } from "./node-arguments.ts";
import { logOutput } from "./output.ts";
import { startWaitingSpawner, type SpawnerSettings } from "./spawner.ts";
import type { RuntimeDirectory } from "./runtime-directory.ts";

/** Milliseconds until the enclave process must be dialable. */
export const START_MS = 20_000;
/** Milliseconds between attempts to dial it. */
const DIAL_EVERY_MS = 10;
/** Milliseconds between SIGTERM and SIGKILL. */
export const TERMINATE_MS = 3_000;

export interface EnclaveProcessOptions {
  readonly nodePath: string;
  readonly enclave: EnclaveEntry;
  readonly means: IsolationMeans;
  readonly directory: RuntimeDirectory;
  readonly dialer: Dialer;
  readonly log: Log;
  /** Command socket of a software TPM that stands for the machine's. */
  readonly tpmSocket?: string;
  /** Starts a spawner of stdio servers beside it. */
  readonly spawner?: SpawnerSettings & { readonly developmentMode: boolean };
}

/** How a process ended. */
export interface Exit {
  readonly exitCode: number | undefined;
  readonly exitSignal: string | undefined;
}

/** A running enclave process that accepts connections. */
export interface EnclaveProcess {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** SIGTERM, then SIGKILL after {@link TERMINATE_MS}; resolves when it has ended. */
  stop(): Promise<Exit>;
}

/**
 * Starts the enclave process and waits until it can be dialled.
 *
 * Its environment is CMCP_ENCLAVE_LISTEN and CMCP_HOST_SERVICES, with a software TPM CMCP_TPM_SOCKET, with stdio
 * servers CMCP_SPAWN_SOCKET, and nothing else, so neither secrets of the host nor settings of Node leak in. It ends when this process ends.
 *
 * @throws ENCLAVE_UNAVAILABLE when it does not start, ends early or cannot be dialled within {@link START_MS}
 */
export async function startEnclaveProcess(options: EnclaveProcessOptions): Promise<EnclaveProcess> {
  const { directory, log } = options;
  await directory.clearEnclaveSocket();
  const spawner = options.spawner === undefined ? undefined : await startWaitingSpawner(directory.path, options.spawner, log);
  const [command = "", ...args] = [...options.means.prefix, options.nodePath, ...nodeArguments(options.enclave, directory.enclaveSocket)];
  const child = spawn(command, args, {
    cwd: directory.path,
    env: { CMCP_ENCLAVE_LISTEN: directory.enclaveSocket, CMCP_HOST_SERVICES: directory.servicesSocket, ...(options.tpmSocket === undefined ? {} : { CMCP_TPM_SOCKET: options.tpmSocket }), ...(spawner === undefined ? {} : { CMCP_SPAWN_SOCKET: spawner.socket }) },
    stdio: ["pipe", "pipe", "pipe"],
    // A terminal's interrupt is for the host, which stops the enclave in order.
    detached: true,
  });
  logOutput(child.stdout, "stdout", log);
  logOutput(child.stderr, "stderr", log);
  const ended = new Promise<Exit>((resolve) => {
    child.once("error", () => resolve({ exitCode: undefined, exitSignal: undefined }));
    child.once("exit", (exitCode, exitSignal) => resolve({ exitCode: exitCode ?? undefined, exitSignal: exitSignal ?? undefined }));
  });
  // What it started ends with it.
  const exited = ended.then(async (exit) => {
    await spawner?.stop();
    return exit;
  });
  const stop = async (): Promise<Exit> => {
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), TERMINATE_MS);
    try {
      return await exited;
    } finally {
      clearTimeout(force);
    }
  };
  // Nothing is ever written to it; a broken pipe is the process's end, which `exited` tells.
  child.stdin.on("error", () => child.stdin.destroy());
  if (!(await dialable(options.dialer, exited))) {
    const exit = await stop();
    log.error("enclave did not start", { pid: child.pid, ...exit });
    throw new CmcpError("ENCLAVE_UNAVAILABLE", "the enclave process ended or did not listen in time");
  }
  if (child.pid === undefined) throw new CmcpError("ENCLAVE_UNAVAILABLE", "the enclave process did not start");
  return { pid: child.pid, exited, stop };
}

async function dialable(dialer: Dialer, exited: Promise<Exit>): Promise<boolean> {
  const ended = new AbortController();
  const waiting = AbortSignal.any([AbortSignal.timeout(START_MS), ended.signal]);
  void exited.then(() => ended.abort());
  while (!waiting.aborted) {
    try {
      (await dialer.dial(waiting)).destroy();
      return true;
    } catch {
      // Not listening yet: the only way to learn that it does is to try again.
      await delay(DIAL_EVERY_MS);
    }
  }
  return false;
}
