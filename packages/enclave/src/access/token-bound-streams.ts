import type { Caller } from "./caller.ts";

/** How often tokens are checked, in milliseconds. A stream can outlive its token by this time. */
const CHECK_MS = 1_000;

interface TokenBoundStream {
  readonly caller: Caller;
  readonly end: () => void;
}

/**
 * The streams on which agents listen. A stream ends when its token expires, or when a provision message omits the token. One timer checks
 * all streams. `Listeners` bounds their number.
 */
export class TokenBoundStreams {
  readonly #stillCounts: (caller: Caller) => boolean;
  readonly #all = new Set<TokenBoundStream>();
  #timer: NodeJS.Timeout | undefined;

  constructor(isStillValid: (caller: Caller) => boolean) {
    this.#stillCounts = isStillValid;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Watches a stream until `signal` aborts, and ends it when its caller's token is not valid. */
  add(caller: Caller, end: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const stream: TokenBoundStream = { caller, end };
    this.#all.add(stream);
    this.#timer ??= setInterval(() => this.#all.forEach((each) => this.#check(each)), CHECK_MS).unref();
    signal.addEventListener("abort", () => this.#remove(stream), { once: true });
    this.#check(stream);
  }

  #check(stream: TokenBoundStream): void {
    if (!this.#stillCounts(stream.caller)) stream.end();
  }

  #remove(stream: TokenBoundStream): void {
    this.#all.delete(stream);
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
