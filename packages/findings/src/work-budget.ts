/** UTF-16 units that one look at a message may read, counting a unit again for each pass and each decoding: 8 Mi. */
export const DEFAULT_WORK = 8 * 1024 * 1024;

/** How much text one look may still read. Every pass takes from it first, so that what a peer sends bounds nothing but its own answer. */
export class WorkBudget {
  #left: number;
  #complete = true;

  /** @param units UTF-16 units that may be read */
  constructor(units: number = DEFAULT_WORK) {
    this.#left = Math.max(0, units);
  }

  /** Units not taken yet. */
  get left(): number {
    return this.#left;
  }

  /** False once something was left unread. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Takes units for a pass. False, and nothing is taken, when too few are left: the pass is left out. */
  take(units: number): boolean {
    if (units > this.#left) {
      this.#complete = false;
      return false;
    }
    this.#left -= units;
    return true;
  }

  /** Records that something was left unread for a reason other than the units. */
  abandon(): void {
    this.#complete = false;
  }

  /** Takes units for the text, and gives as much of its start as there are units for. */
  takeText(text: string): string {
    const read = text.length <= this.#left ? text : text.slice(0, this.#left);
    if (read.length < text.length) this.#complete = false;
    this.#left -= read.length;
    return read;
  }
}
