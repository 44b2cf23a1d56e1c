import { setTimeout as delay } from "node:timers/promises";
import { asCmcpError, type CmcpError } from "@cmcp/boundary";
import type { EnclaveLink } from "../link/enclave-link.ts";
import type { Log } from "../log.ts";
import { VERDICTS } from "./verdicts.ts";

/** What may replace policy and catalog. All of it is bytes: whether they are to be put in force, only the enclave says. */
export interface Offer {
  /** The reload message. */
  readonly message: Uint8Array;
  /** `host:port` of every destination under it, exactly. */
  readonly egressAllow: readonly string[];
}

/** Where another policy bundle or another catalog may appear. */
export interface ReloadSource {
  /** What is in the launch document. */
  readonly first: Offer;
  /** Milliseconds between looks. */
  readonly everyMs: number;
  /** What is there now. */
  read(): Promise<Offer>;
}

/** What a watcher works with. */
export interface ReloadPorts {
  readonly link: Pick<EnclaveLink, "state" | "reload">;
  /** Lets the relay connect to these destinations and no other. */
  readonly allowEgress: (destinations: readonly string[]) => void;
  readonly log: Log;
}

/** How often an offer is given again that the enclave could not judge. */
export interface Attempts {
  /** Milliseconds before the second attempt; doubled for each further one. */
  readonly firstMs: number;
  /** Milliseconds at most. */
  readonly mostMs: number;
  /** Attempts with an enclave that does not serve yet. */
  readonly beforeReady: number;
}

export const ATTEMPTS: Attempts = { firstMs: 500, mostMs: 60_000, beforeReady: 5 };

/** An offer that was given and not judged. */
interface Unjudged {
  readonly offer: Offer;
  /** Milliseconds before it is given again. */
  readonly delayMs: number;
  /** Until then; `null` once that time is over. */
  timer: NodeJS.Timeout | null;
}

const same = (one: Offer, other: Offer): boolean => Buffer.compare(one.message, other.message) === 0;

/** Hands the enclave everything that appears at the source, until it has judged it. */
export class ReloadWatcher {
  readonly #source: ReloadSource;
  readonly #ports: ReloadPorts;
  readonly #attempts: Attempts;
  /** What this enclave judged last, what it was launched with at first. */
  #judged: Offer;
  /** What an enclave accepted last. */
  #accepted: Offer | null = null;
  #unjudged: Unjudged | null = null;
  #unreadable = false;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: ReloadSource, ports: ReloadPorts, attempts: Attempts = ATTEMPTS) {
    this.#source = source;
    this.#ports = ports;
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
   * A new enclave has policy and catalog of the launch document: it gets what was accepted last before it serves, so that a
   * crash does not bring older ones back. @throws CmcpError why the enclave does not have it; it must not serve then
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

  async #handOver(accepted: Offer, signal: AbortSignal | undefined): Promise<void> {
    let delayMs = this.#attempts.firstMs;
    for (let left = this.#attempts.beforeReady - 1; ; left -= 1) {
      const refusal = await this.#give(accepted);
      if (refusal === null) return;
      this.#ports.log.warn("accepted reload not taken", { code: refusal.code });
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
      const found = this.#ports.link.state === "up" ? await this.#read() : null;
      // The enclave may have gone while the source was read; the next one is given what was accepted first.
      if (found !== null && this.#ports.link.state === "up" && this.#isDue(found)) await this.#offer(found);
    } finally {
      this.#looking = false;
    }
  }

  #isDue(found: Offer): boolean {
    if (same(found, this.#judged)) return false;
    return this.#unjudged === null || this.#unjudged.timer === null || !same(found, this.#unjudged.offer);
  }

  async #read(): Promise<Offer | null> {
    try {
      const found = await this.#source.read();
      this.#unreadable = false;
      return found;
    } catch (thrown) {
      if (!this.#unreadable)
        this.#ports.log.warn("reload not read", {
          code: asCmcpError(thrown, "INTERNAL", "policy and catalog could not be read").code,
        });
      this.#unreadable = true;
      return null;
    }
  }

  async #offer(offer: Offer): Promise<void> {
    const refusal = await this.#give(offer);
    if (refusal === null) {
      this.#ports.log.info("reloaded");
    } else if (VERDICTS.has(refusal.code)) {
      this.#judged = offer;
      this.#ports.log.warn("reload refused", { code: refusal.code });
    } else {
      return this.#giveAgain(offer, refusal);
    }
    this.#forgetUnjudged();
  }

  /** Gives the enclave an offer once, and remembers one that it took. */
  async #give(offer: Offer): Promise<CmcpError | null> {
    const { link, allowEgress } = this.#ports;
    const before = (this.#accepted ?? this.#source.first).egressAllow;
    // It may connect to new destinations before its answer is here, and calls under way end at the old ones.
    allowEgress([...new Set([...before, ...offer.egressAllow])]);
    try {
      await link.reload(offer.message);
    } catch (thrown) {
      const refusal = asCmcpError(thrown, "INTERNAL", "the reload failed");
      if (VERDICTS.has(refusal.code)) allowEgress(before);
      return refusal;
    }
    this.#judged = offer;
    this.#accepted = offer;
    return null;
  }

  #giveAgain(offer: Offer, { code }: CmcpError): void {
    const before = this.#unjudged;
    const delayMs =
      before !== null && same(offer, before.offer) ? this.#longer(before.delayMs) : this.#attempts.firstMs;
    this.#forgetUnjudged();
    this.#unjudged = { offer, delayMs, timer: null };
    this.#wait(this.#unjudged);
    this.#ports.log.warn("reload not judged", { code, delayMs });
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
