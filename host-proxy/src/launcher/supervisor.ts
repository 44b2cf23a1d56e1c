import { setTimeout as delay } from "node:timers/promises";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { Log } from "../log.ts";
import type { EnclaveProcess } from "./process.ts";

export interface Backoff {
  /** Milliseconds before the first restart; doubled for each further one in a row. */
  readonly firstMs: number;
  /** Milliseconds at most. */
  readonly mostMs: number;
  /** Milliseconds an enclave must have served for its next crash to count as the first. */
  readonly stableMs: number;
}

export const BACKOFF: Backoff = { firstMs: 100, mostMs: 5_000, stableMs: 30_000 };

/** What the supervisor's owner does at each turn. */
export interface SupervisorDuties {
  /** Starts one process. */
  start(): Promise<EnclaveProcess>;
  /** The process listens: launch and provision it. A rejection counts as a crash. */
  up(process: EnclaveProcess): Promise<void>;
  /** The process is gone. */
  down(): Promise<void>;
}

/** Keeps one enclave process alive: a crash starts another, which its owner launches and provisions again. */
export class EnclaveSupervisor {
  readonly #duties: SupervisorDuties;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #current: EnclaveProcess | undefined;
  #watch: Promise<void> | undefined;

  constructor(duties: SupervisorDuties, log: Log, backoff: Backoff = BACKOFF) {
    this.#duties = duties;
    this.#log = log;
    this.#backoff = backoff;
  }

  /** Process id of the enclave that is up; `undefined` between two. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  /** Starts the first process. Its failure is the caller's: a document that is refused once will be refused again. */
  async start(): Promise<void> {
    const process = await this.#bringUp();
    this.#watch = this.#keepAlive(process);
  }

  /** Stops the process and the restarting. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#current?.stop();
    await this.#watch;
  }

  async #bringUp(): Promise<EnclaveProcess> {
    const process = await this.#duties.start();
    this.#current = process;
    try {
      if (this.#closing.signal.aborted) throw new CmcpError("ENCLAVE_UNAVAILABLE", "the host is closing");
      await this.#duties.up(process);
      return process;
    } catch (thrown) {
      await process.stop();
      await this.#lose();
      throw thrown;
    }
  }

  async #lose(): Promise<void> {
    this.#current = undefined;
    await this.#duties.down();
  }

  async #keepAlive(first: EnclaveProcess): Promise<void> {
    let process: EnclaveProcess | undefined = first;
    let delayMs = this.#backoff.firstMs;
    for (;;) {
      const since = performance.now();
      if (process !== undefined) {
        const exit = await process.exited;
        await this.#lose();
        if (this.#closing.signal.aborted) return;
        this.#log.error("enclave ended", { pid: process.pid, ...exit });
        if (performance.now() - since >= this.#backoff.stableMs) delayMs = this.#backoff.firstMs;
      }
      this.#log.info("enclave restarts", { delayMs });
      await delay(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closing.signal.aborted) return;
      delayMs = Math.min(delayMs * 2, this.#backoff.mostMs);
      process = await this.#restarted();
    }
  }

  async #restarted(): Promise<EnclaveProcess | undefined> {
    try {
      return await this.#bringUp();
    } catch (thrown) {
      this.#log.error("enclave restart failed", { code: asCmcpError(thrown, "ENCLAVE_UNAVAILABLE", "restart failed").code });
      return undefined;
    }
  }
}
