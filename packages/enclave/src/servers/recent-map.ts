/** A map of bounded size: what was used least recently gives way to something new, unless it is busy. */
export class RecentMap<V> {
  readonly #most: number;
  readonly #isBusy: (value: V) => boolean;
  readonly #byKey = new Map<string, V>();

  constructor(most: number, isBusy: (value: V) => boolean = () => false) {
    this.#most = most;
    this.#isBusy = isBusy;
  }

  /** Looks a value up, which counts as its use. */
  get(key: string): V | undefined {
    const value = this.#byKey.get(key);
    if (value === undefined) return undefined;
    this.#byKey.delete(key);
    this.#byKey.set(key, value);
    return value;
  }

  /**
   * Keeps a value.
   * @returns what gave way to it; `"full"` if all others are busy, and then it is not kept
   */
  set(key: string, value: V): V | "full" | null {
    if (this.#byKey.delete(key) || this.#byKey.size < this.#most) {
      this.#byKey.set(key, value);
      return null;
    }
    for (const [oldest, idle] of this.#byKey) {
      if (this.#isBusy(idle)) continue;
      this.#byKey.delete(oldest);
      this.#byKey.set(key, value);
      return idle;
    }
    return "full";
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** All of it, the least recently used first. */
  entries(): IterableIterator<[string, V]> {
    return this.#byKey.entries();
  }
}
