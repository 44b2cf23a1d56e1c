import type { Caller } from "./caller.ts";

/** How often the tokens behind standing streams are looked at, in milliseconds: so much longer than its token a stream may stand. */
const CHECK_MS = 1_000;

interface TokenBoundStream {
  readonly caller: Caller;
  readonly end: () => void;
}

/**
 * The streams on which agents listen. Each was opened with a token, and ends when that counts no more: when it expires, or
 * when another was provisioned in its place. One clock looks at all of them; their number is bounded where they are listened to.
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

  /** Ends a stream once its caller's token counts no more, at once where that is so already, until `signal` aborts. */
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
