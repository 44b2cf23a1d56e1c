/** Milliseconds since 1970 before which no honest clock can be: the year this code was written. */
const FLOOR_MS = Date.UTC(2026, 0, 1);

/** Wall time is the host's word; this clock only refuses to let it run backwards. */
export class Clock {
  #latest = FLOOR_MS;

  /** The host's time, never earlier than any time given before. */
  now(): Date {
    this.#latest = Math.max(this.#latest, Date.now());
    return new Date(this.#latest);
  }
}
