import type { Confinement } from "../server.ts";

/** A spawner that listens and waits for its enclave. */
export interface RunningSpawner {
  readonly confinement: Confinement;
  /** Resolves when it has ended, and every server with it. */
  readonly ended: Promise<void>;
  /** Ends it and every server. */
  stop(): Promise<void>;
}
