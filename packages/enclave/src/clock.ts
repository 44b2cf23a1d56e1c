import { TimeFloor } from "@cmcp/identity";

/** Milliseconds since 1970 before which no honest clock can be: the year this code was written. */
const FLOOR_MS = Date.UTC(2026, 0, 1);

/** Wall time is the host's word; this clock refuses to let it run backwards, and to let it stand still. */
export class Clock {
  readonly #time = new TimeFloor(FLOOR_MS);

  /** The host's time, never earlier than any time given before plus what has passed since on the monotonic clock. */
  now(): Date {
    return new Date(this.#time.now());
  }
}
