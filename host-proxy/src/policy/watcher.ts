import { setTimeout as delay } from "node:timers/promises";
import { asCmcpError, type CmcpError } from "@cmcp/boundary";
import type { EnclaveLink } from "../link/enclave-link.ts";
import type { Log } from "../log.ts";
import { VERDICTS } from "./verdicts.ts";

/**
 * Where another policy bundle may appear. All of it is bytes: whether they are a policy, and one to put in force, only
 * the enclave says.
 */
export interface PolicySource {
  /** The message for the bundle that is in the launch document. */
  readonly first: Uint8Array;
  /** Milliseconds between looks. */
  readonly everyMs: number;
  /** The message for what is there now. */
  read(): Promise<Uint8Array>;
}

/** How often a bundle is given again that the enclave could not judge. */
export interface Attempts {
  /** Milliseconds before the second attempt; doubled for each further one. */
  readonly firstMs: number;
  /** Milliseconds at most. */
  readonly mostMs: number;
  /** Attempts with an enclave that does not serve yet. */
  readonly beforeReady: number;
}

export const ATTEMPTS: Attempts = { firstMs: 500, mostMs: 60_000, beforeReady: 5 };

/** A bundle that was given and not judged. */
interface Unjudged {
  readonly bundle: Uint8Array;
  /** Milliseconds before it is given again. */
  readonly delayMs: number;
  /** Until then; `null` once that time is over. */
  timer: NodeJS.Timeout | null;
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

/** Hands the enclave every bundle that appears at the source, until it has judged it. */
export class PolicyWatcher {
  readonly #source: PolicySource;
  readonly #link: Pick<EnclaveLink, "state" | "reload">;
  readonly #log: Log;
  readonly #attempts: Attempts;
  /** What this enclave judged last, the bundle it was launched with at first. */
  #judged: Uint8Array;
  /** What an enclave accepted last. */
  #accepted: Uint8Array | null = null;
  #unjudged: Unjudged | null = null;
  #unreadable = false;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    source: PolicySource,
    link: Pick<EnclaveLink, "state" | "reload">,
    log: Log,
    attempts: Attempts = ATTEMPTS,
  ) {
    this.#source = source;
    this.#link = link;
    this.#log = log;
    this.#attempts = attempts;
    this.#judged = source.first;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#source.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#forgetUnjudged();
  }

  /**
   * A new enclave has the launch document's bundle: it gets the one accepted last before it serves, so that a crash
   * does not bring an older policy back. @throws CmcpError why the enclave does not have it; it must not serve then
   */
  async launched(signal?: AbortSignal): Promise<void> {
    this.#judged = this.#source.first;
    if (this.#accepted !== null) await this.#handOver(this.#accepted, signal);
    if (this.#unjudged === null) return;
    // What the enclave before left unanswered it may have put in force.
    const found = await this.#read();
    if (found === null) this.#wait(this.#unjudged);
    else if (same(found, this.#judged)) this.#forgetUnjudged();
    else await this.#offer(found);
  }

  async #handOver(accepted: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    let delayMs = this.#attempts.firstMs;
    for (let left = this.#attempts.beforeReady - 1; ; left -= 1) {
      const refusal = await this.#give(accepted);
      if (refusal === null) return;
      this.#log.warn("accepted policy bundle not taken", { code: refusal.code });
      if (VERDICTS.has(refusal.code) || left === 0) throw refusal;
      await delay(delayMs, undefined, { signal });
      delayMs = this.#longer(delayMs);
    }
  }

  /** Looks once. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const found = this.#link.state === "up" ? await this.#read() : null;
      // The enclave may have gone while the source was read; the next one is given what was accepted first.
      if (found !== null && this.#link.state === "up" && this.#isDue(found)) await this.#offer(found);
    } finally {
      this.#looking = false;
    }
  }

  #isDue(found: Uint8Array): boolean {
    if (same(found, this.#judged)) return false;
    return this.#unjudged === null || this.#unjudged.timer === null || !same(found, this.#unjudged.bundle);
  }

  async #read(): Promise<Uint8Array | null> {
    try {
      const found = await this.#source.read();
      this.#unreadable = false;
      return found;
    } catch (thrown) {
      if (!this.#unreadable)
        this.#log.warn("policy bundle not read", {
          code: asCmcpError(thrown, "INTERNAL", "the bundle could not be read").code,
        });
      this.#unreadable = true;
      return null;
    }
  }

  async #offer(bundle: Uint8Array): Promise<void> {
    const refusal = await this.#give(bundle);
    if (refusal === null) {
      this.#log.info("policy reloaded");
    } else if (VERDICTS.has(refusal.code)) {
      this.#judged = bundle;
      this.#log.warn("policy bundle refused", { code: refusal.code });
    } else {
      return this.#giveAgain(bundle, refusal);
    }
    this.#forgetUnjudged();
  }

  /** Gives the enclave a bundle once, and remembers one that it took. */
  async #give(bundle: Uint8Array): Promise<CmcpError | null> {
    try {
      await this.#link.reload(bundle);
    } catch (thrown) {
      return asCmcpError(thrown, "INTERNAL", "the reload failed");
    }
    this.#judged = bundle;
    this.#accepted = bundle;
    return null;
  }

  #giveAgain(bundle: Uint8Array, { code }: CmcpError): void {
    const before = this.#unjudged;
    const delayMs =
      before !== null && same(bundle, before.bundle) ? this.#longer(before.delayMs) : this.#attempts.firstMs;
    this.#forgetUnjudged();
    this.#unjudged = { bundle, delayMs, timer: null };
    this.#wait(this.#unjudged);
    this.#log.warn("policy bundle not judged", { code, delayMs });
  }

  #wait(unjudged: Unjudged): void {
    if (unjudged.timer !== null) clearTimeout(unjudged.timer);
    unjudged.timer = setTimeout(() => {
      unjudged.timer = null;
      void this.look();
    }, unjudged.delayMs).unref();
  }

  #longer(delayMs: number): number {
    return Math.min(delayMs * 2, this.#attempts.mostMs);
  }

  #forgetUnjudged(): void {
    if (this.#unjudged?.timer != null) clearTimeout(this.#unjudged.timer);
    this.#unjudged = null;
  }
}
