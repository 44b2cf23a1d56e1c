import { setTimeout as delay } from "node:timers/promises";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { Log } from "../log.ts";
import type { RunningEnclave } from "./launcher.ts";

export interface Backoff {
  /** Milliseconds before the first restart; doubled for each further one in a row. */
  readonly firstMs: number;
  /** Milliseconds at most. */
  readonly mostMs: number;
  /** Milliseconds an enclave must have served for its next crash to count as the first. */
  readonly stableMs: number;
}

export const BACKOFF: Backoff = { firstMs: 100, mostMs: 5_000, stableMs: 30_000 };

/** What the supervisor's owner does at each step. */
export interface SupervisorHooks {
  /** Starts one enclave; `signal` aborts the start. */
  start(signal: AbortSignal): Promise<RunningEnclave>;
  /** The enclave listens: launch and provision it. A rejection counts as a crash; `signal` is the start's. */
  up(enclave: RunningEnclave, signal: AbortSignal): Promise<void>;
  /** The enclave is gone. */
  down(): Promise<void>;
  /** Whether another one may be started in its place; always, where it is left out. */
  mayRestart?(): boolean;
}

/**
 * Keeps one enclave alive, whatever launcher it comes from: a crash starts another, which its owner launches and
 * provisions again.
 */
export class EnclaveSupervisor {
  readonly #duties: SupervisorHooks;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #current: RunningEnclave | undefined;
  #watch: Promise<void> | undefined;

  constructor(duties: SupervisorHooks, log: Log, backoff: Backoff = BACKOFF) {
    this.#duties = duties;
    this.#log = log;
    this.#backoff = backoff;
  }

  /** Process id of the enclave that is up; `undefined` between two, and for a machine somebody else started. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  /** Starts the first enclave. Its failure is the caller's: a document that is refused once will be refused again. */
  async start(): Promise<void> {
    const enclave = await this.#bringUp();
    this.#watch = this.#keepAlive(enclave);
  }

  /** Stops the enclave, one that is only starting included, and the restarting. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#current?.stop();
    await this.#watch;
  }

  async #bringUp(): Promise<RunningEnclave> {
    const enclave = await this.#duties.start(this.#closing.signal);
    this.#current = enclave;
    try {
      if (this.#closing.signal.aborted) throw new CmcpError("ENCLAVE_UNAVAILABLE", "the host is closing");
      await this.#duties.up(enclave, this.#closing.signal);
      return enclave;
    } catch (thrown) {
      await enclave.stop();
      await this.#lose();
      throw thrown;
    }
  }

  async #lose(): Promise<void> {
    this.#current = undefined;
    await this.#duties.down();
  }

  async #keepAlive(first: RunningEnclave): Promise<void> {
    let enclave: RunningEnclave | undefined = first;
    let delayMs = this.#backoff.firstMs;
    for (;;) {
      const since = performance.now();
      if (enclave !== undefined) {
        const exit = await enclave.exited;
        await this.#lose();
        if (this.#closing.signal.aborted) return;
        this.#log.error("enclave ended", { pid: enclave.pid, ...exit });
        if (this.#duties.mayRestart?.() === false) return;
        if (performance.now() - since >= this.#backoff.stableMs) delayMs = this.#backoff.firstMs;
      }
      this.#log.info("enclave restarts", { delayMs });
      await delay(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closing.signal.aborted) return;
      delayMs = Math.min(delayMs * 2, this.#backoff.mostMs);
      enclave = await this.#restarted();
    }
  }

  async #restarted(): Promise<RunningEnclave | undefined> {
    try {
      return await this.#bringUp();
    } catch (thrown) {
      this.#log.error("enclave restart failed", {
        code: asCmcpError(thrown, "ENCLAVE_UNAVAILABLE", "restart failed").code,
      });
      return undefined;
    }
  }
}
