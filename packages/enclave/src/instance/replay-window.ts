import { hash } from "node:crypto";

/** Slots of an empty window; it doubles when it is half full. */
const FIRST_SLOTS = 1_024;

/**
 * The requests that one key has opened, so that none is acted on twice. It keeps 64 bits of the hash of each
 * encapsulated key. A sender cannot choose them to meet those of a stranger's request. Two that meet cost a refusal,
 * never a second call.
 */
export class ReplayWindow {
  #slots = new BigUint64Array(FIRST_SLOTS);
  #size = 0;

  /** Number of requests. */
  get size(): number {
    return this.#size;
  }

  /** Whether the request is in the window. */
  has(encapsulated: Uint8Array): boolean {
    return this.#slots[this.#slotOf(markOf(encapsulated))] !== 0n;
  }

  /** Adds a request. @returns `false` where it was there */
  add(encapsulated: Uint8Array): boolean {
    const mark = markOf(encapsulated);
    const slot = this.#slotOf(mark);
    if (this.#slots[slot] !== 0n) return false;
    this.#slots[slot] = mark;
    this.#size += 1;
    if (this.#size * 2 > this.#slots.length) this.#grow();
    return true;
  }

  /** The slot that has a mark, or else the free one where it belongs (linear probing). */
  #slotOf(mark: bigint): number {
    const mask = this.#slots.length - 1;
    let slot = Number(mark & BigInt(mask));
    for (let found = this.#slots[slot]; found !== 0n && found !== mark; found = this.#slots[slot])
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new BigUint64Array(old.length * 2);
    for (const mark of old) if (mark !== 0n) this.#slots[this.#slotOf(mark)] = mark;
  }
}

/** The first 64 bits of the hash; zero stands for a free slot. */
function markOf(encapsulated: Uint8Array): bigint {
  const mark = hash("sha256", encapsulated, "buffer").readBigUInt64BE(0);
  return mark === 0n ? 1n : mark;
}
