import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers/promises";

/** What time is read from and waited with; in milliseconds. */
export interface TurnClock {
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

const CLOCK: TurnClock = { now: () => performance.now(), sleep: (milliseconds) => setTimeout(milliseconds) };

/**
 * Turns of long work, in the order in which they were asked for. One piece of it runs at a time, whoever it is for, and
 * then everything else has at least as long as the piece took. So requests have half of the time, however many lists
 * and exports are under way.
 */
export class Turns {
  readonly #clock: TurnClock;
  #last: Promise<void> = Promise.resolve();
  #nextAt = 0;

  constructor(clock: TurnClock = CLOCK) {
    this.#clock = clock;
  }

  /** Resolves when the next piece may run. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => this.#turn());
    return this.#last;
  }

  async #turn(): Promise<void> {
    // The piece before has been measured by then.
    await setImmediate();
    const rest = this.#nextAt - this.#clock.now();
    if (rest > 0) await this.#clock.sleep(rest);
    const begun = this.#clock.now();
    void setImmediate().then(() => {
      const now = this.#clock.now();
      this.#nextAt = now + (now - begun);
    });
  }
}
