import { join } from "node:path";
import { startSpawner, type RunningSpawner } from "@cmcp/spawner/host";
import type { Log } from "../../log.ts";

/** What the spawner of stdio servers is started with. */
export interface SpawnerSettings {
  /** Path of the compiled spawner. */
  readonly program: string;
  /** Interpreters and their libraries, which every server sees. */
  readonly runtime: readonly string[];
}

/** A spawner that waits for the enclave process that is started next. */
export interface WaitingSpawner extends RunningSpawner {
  readonly socket: string;
}

let started = 0;

/**
 * Starts a spawner of its own for each enclave process: the first to connect owns it, and it ends with its owner.
 * @param folder private to this user
 * @throws CmcpError `SPAWN_UNAVAILABLE`
 */
export async function startWaitingSpawner(
  folder: string,
  { developmentMode, ...settings }: SpawnerSettings & { readonly developmentMode: boolean },
  log: Log,
): Promise<WaitingSpawner> {
  started += 1;
  const socket = join(folder, `spawn-${started}.sock`);
  const running = await startSpawner({ ...settings, socket, stage: join(folder, `stage-${started}`), developmentMode });
  if (running.confinement === "none") log.warn("stdio servers run unconfined: development only");
  return { ...running, socket };
}
