import type { Caller } from "./caller.ts";

/** How often the tokens behind standing streams are looked at, in milliseconds: so much longer than its token a stream may stand. */
const CHECK_MS = 1_000;

interface Standing {
  readonly caller: Caller;
  readonly end: () => void;
}

/**
 * The streams on which agents listen. Each was opened with a token, and ends when that counts no more: when it expires, or
 * when another was provisioned in its place. One clock looks at all of them; their number is bounded where they are listened to.
 */
export class StandingStreams {
  readonly #stillCounts: (caller: Caller) => boolean;
  readonly #all = new Set<Standing>();
  #clock: NodeJS.Timeout | undefined;

  constructor(stillCounts: (caller: Caller) => boolean) {
    this.#stillCounts = stillCounts;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Ends a stream once its caller's token counts no more, at once where that is so already, until `signal` aborts. */
  add(caller: Caller, end: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const standing: Standing = { caller, end };
    this.#all.add(standing);
    this.#clock ??= setInterval(() => this.#all.forEach((each) => this.#look(each)), CHECK_MS).unref();
    signal.addEventListener("abort", () => this.#remove(standing), { once: true });
    this.#look(standing);
  }

  #look(standing: Standing): void {
    if (!this.#stillCounts(standing.caller)) standing.end();
  }

  #remove(standing: Standing): void {
    this.#all.delete(standing);
    if (this.#all.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }
}
