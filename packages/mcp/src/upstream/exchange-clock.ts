/** Times what an exchange waits for, one thing after the other, within a deadline for all of it. Milliseconds throughout. */
export class ExchangeClock {
  readonly #overdue: (what: string, waitedMs: number) => void;
  readonly #now: () => number;
  #deadline: number;
  #timer: NodeJS.Timeout | undefined;
  /** When what is waited for now is overdue, and when {@link #timer} looks whether it is, which may be earlier. */
  #due = Number.POSITIVE_INFINITY;
  #looks = Number.POSITIVE_INFINITY;
  #what = "";
  #ms = 0;
  /** What is waited for beside the server, and since when something is. */
  #held = 0;
  #heldSince = 0;

  /**
   * @param overdue told once what did not come in time, and how long it was waited for
   * @param now milliseconds of a clock that nobody sets
   */
  constructor(
    totalMs: number,
    overdue: (what: string, waitedMs: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#now = now;
    this.#deadline = now() + totalMs;
    this.#overdue = overdue;
  }

  /** Whether the clock stands still. */
  get standing(): boolean {
    return this.#held > 0;
  }

  /** Waits for something else from now on; the deadline for all of it holds beside. */
  wait(ms: number, what: string): void {
    const now = this.#now();
    this.#ms = Math.max(0, Math.min(ms, this.#deadline - now));
    this.#due = now + this.#ms;
    this.#what = what;
    // A timer that would look later is set earlier; one that looks too early looks again, which few answers live to see.
    if (this.#due < this.#looks) this.#lookIn(this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#looks = Number.POSITIVE_INFINITY;
  }

  /** Stands still while others do their part, once for all that do at the same time; `goOn` says what is waited for after that. */
  async hold<T>(work: Promise<T>, goOn: () => void): Promise<T> {
    if (this.#held === 0) this.#heldSince = this.#now();
    this.#held += 1;
    this.stop();
    try {
      return await work;
    } finally {
      this.#held -= 1;
      if (this.#held === 0) {
        this.#deadline += this.#now() - this.#heldSince;
        goOn();
      }
    }
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#looks = this.#now() + ms;
    this.#timer = setTimeout(() => {
      const left = this.#due - this.#now();
      if (left > 0) this.#lookIn(left);
      else this.#overdue(this.#what, this.#ms);
    }, ms);
  }
}
