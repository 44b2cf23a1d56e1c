/** Requests given up that are remembered; beyond that the oldest is forgotten. */
const MAX_ABANDONED = 1_024;

/** Requests that nobody waits for, and that their server has not answered: it may still work on them. */
export class AbandonedRequests {
  /** Until when, in monotonic milliseconds. */
  readonly #until = new Map<number, number>();

  /** Remembers a request for `ms` milliseconds. */
  add(id: number, ms: number): void {
    this.#until.set(id, performance.now() + ms);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MAX_ABANDONED) break;
      this.#until.delete(oldest);
    }
  }

  /** The server has answered after all. */
  answered(id: number): void {
    this.#until.delete(id);
  }

  clear(): void {
    this.#until.clear();
  }

  /** How many the server may still work on. */
  get size(): number {
    const now = performance.now();
    for (const [id, until] of this.#until) if (until <= now) this.#until.delete(id);
    return this.#until.size;
  }
}
