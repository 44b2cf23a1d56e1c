import { CmcpError } from "./error.ts";

/** One in this many slots is reserved for holders that have none. */
const RESERVED_PART = 8;

/**
 * Counts slots of one kind and bounds each holder's share of them. A holder is a principal or a tool server.
 *
 * A holder's first slot is any free one. It takes a further one only while it holds fewer than stay free beside it (the
 * dynamic threshold of shared switch buffers, Choudhury and Hahne 1998), and never the last eighth. N holders at that
 * threshold hold 1/(N+1) of the slots each, and leave as many free.
 */
export class SharedSlots {
  readonly max: number;
  readonly #maxPerHolder: number;
  readonly #reserved: number;
  readonly #holders = new Map<string, number>();
  #taken = 0;

  constructor(max: number, maxPerHolder = max) {
    this.max = max;
    this.#maxPerHolder = maxPerHolder;
    this.#reserved = Math.floor(max / RESERVED_PART);
  }

  /** Slots that are taken, by all holders together. */
  get taken(): number {
    return this.#taken;
  }

  /** Slots that one holder has. */
  heldBy(holder: string): number {
    return this.#holders.get(holder) ?? 0;
  }

  /** Whether the holder may take one more. */
  isOpenTo(holder: string): boolean {
    const held = this.heldBy(holder);
    const free = this.max - this.#taken;
    if (held === 0) return free > 0;
    return held < this.#maxPerHolder && held < free && free > this.#reserved;
  }

  /**
   * Takes a slot. @returns a function that gives it back; further calls do nothing
   * @throws CmcpError `OVERLOADED` if {@link isOpenTo} is false; nothing was sent
   */
  take(holder: string, what: string): () => void {
    if (!this.isOpenTo(holder))
      throw new CmcpError("OVERLOADED", `all ${what} that this caller may have are in use`, { detail: { sent: 0 } });
    this.#add(holder, 1);
    let held = true;
    return () => {
      if (held) this.#add(holder, -1);
      held = false;
    };
  }

  #add(holder: string, change: 1 | -1): void {
    const held = this.heldBy(holder) + change;
    this.#taken += change;
    if (held === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, held);
  }
}
