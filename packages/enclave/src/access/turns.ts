import { setImmediate } from "node:timers/promises";

/**
 * Turns of long work. One piece of it runs in each iteration of the event loop, whoever it is for, in the order in
 * which the turns were asked for. So a request waits for one piece, however many lists and exports are under way.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when the next piece may run. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => setImmediate());
    return this.#last;
  }
}
