/** Buckets of one window. A count covers its window and at most one bucket more. */
export const BUCKETS = 60;
/** A count never goes beyond this. At the bound it is unknown how much there was, so every limit counts as reached. */
export const COUNT_BOUND = 1_000_000_000_000_000;

/**
 * A count over a rolling window, in fixed memory. Everything of the last `windowMs` milliseconds is in the total. What is up to one bucket
 * older may be in it too, so a limit on the total holds in every window.
 */
export class RollingCount {
  readonly #windowMs: number;
  readonly #buckets = new Float64Array(BUCKETS + 1);
  #latest = 0;

  /** @param windowMs length of the window in milliseconds, more than 0 */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Adds to the count. @param now monotonic milliseconds; an earlier time than before counts as the latest */
  add(now: number, amount: number): void {
    this.#advance(now);
    const at = this.#latest % this.#buckets.length;
    this.#buckets[at] = Math.min(COUNT_BOUND, (this.#buckets[at] ?? 0) + amount);
  }

  /** The count of the window that ends now, at most {@link COUNT_BOUND}. */
  total(now: number): number {
    this.#advance(now);
    return Math.min(
      COUNT_BOUND,
      this.#buckets.reduce((sum, count) => sum + count, 0),
    );
  }

  #advance(now: number): void {
    const index = Math.floor((now * BUCKETS) / this.#windowMs);
    const passed = Math.min(index - this.#latest, this.#buckets.length);
    for (let step = 1; step <= passed; step += 1) this.#buckets[(this.#latest + step) % this.#buckets.length] = 0;
    // Beyond a whole round every bucket is empty, so it does not matter which one is next.
    if (index > this.#latest) this.#latest = index;
  }
}
