import { createHmac, randomBytes } from "node:crypto";
import { COUNT_BOUND } from "./rolling-count.ts";

/** Most values of one rule and principal that are told apart. */
const MAX_VALUES = 1_024;
/** Most values of one rule, of all principals together. */
const MAX_ALL_VALUES = 16_384;

/** Room for the values of one rule, shared by all principals, and the key of their hashes. */
export class ValueRoom {
  /** Random, so that hashes in memory tell nothing of values that are guessed. */
  readonly #key = randomBytes(32);
  readonly #max: number;
  #taken = 0;

  constructor(max = MAX_ALL_VALUES) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes room for one value. @returns false if there is none */
  take(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }

  release(values: number): void {
    this.#taken -= values;
  }

  hash(value: string): string {
    return createHmac("sha256", this.#key).update(value).digest("base64url");
  }
}

/**
 * How many different values were seen in a rolling window. Values are kept as hashes. Beyond its bounds the number of
 * values is unknown: it is then {@link COUNT_BOUND} until the window is over.
 */
export class DistinctValues {
  readonly #windowMs: number;
  readonly #room: ValueRoom;
  /** When each value was seen last, the oldest first. */
  readonly #seen = new Map<string, number>();
  #overflowedAt = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number, room: ValueRoom) {
    this.#windowMs = windowMs;
    this.#room = room;
  }

  add(now: number, value: string): void {
    this.#expire(now);
    const hash = this.#room.hash(value);
    const known = this.#seen.delete(hash);
    if (!known && (this.#seen.size >= MAX_VALUES || !this.#room.take())) {
      this.#overflowedAt = now;
      return;
    }
    this.#seen.set(hash, now);
  }

  /** Number of values in the window that ends now, and `present` as one of them. */
  total(now: number, present: string | null): number {
    this.#expire(now);
    if (now - this.#overflowedAt < this.#windowMs) return COUNT_BOUND;
    const isNew = present !== null && !this.#seen.has(this.#room.hash(present));
    return this.#seen.size + (isNew ? 1 : 0);
  }

  isBlank(now: number): boolean {
    return this.total(now, null) === 0;
  }

  #expire(now: number): void {
    let expired = 0;
    for (const [hash, at] of this.#seen) {
      if (now - at < this.#windowMs) break;
      this.#seen.delete(hash);
      expired += 1;
    }
    this.#room.release(expired);
  }
}
