/** Sources that one hash is kept for. A text of as many sources says nothing of where it came from. */
export const MAX_SHARED = 16;
/** Bytes of one slot: a hash, and 16 bits each of its check and its source. */
export const SLOT_BYTES = 8;

/** Hashes with their sources in two arrays of fixed size (open addressing, linear probing). Three quarters are filled at most. */
export class Slots {
  readonly #hashes: Uint32Array;
  readonly #owners: Uint32Array;
  readonly #mask: number;
  readonly #most: number;
  #used = 0;

  /** @param count number of slots, a power of two */
  constructor(count: number) {
    if (count < 4 || (count & (count - 1)) !== 0) throw new RangeError("slots: the number is not a power of two");
    this.#hashes = new Uint32Array(count);
    this.#owners = new Uint32Array(count);
    this.#mask = count - 1;
    this.#most = (count / 4) * 3;
  }

  /** Slots in use. */
  get used(): number {
    return this.#used;
  }

  /** Keeps that a source has a hash, once, and for {@link MAX_SHARED} sources at most. False when the slots are full. */
  add(hash: number, check: number, source: number): boolean {
    const key = hash === 0 ? 1 : hash;
    const owner = ((check << 16) | source) >>> 0;
    let shared = 0;
    let at = this.#first(key);
    for (; this.#hashes[at] !== 0; at = (at + 1) & this.#mask) {
      if (this.#hashes[at] !== key) continue;
      if (this.#owners[at] === owner) return true;
      if ((this.#owners[at] ?? 0) >>> 16 === check) shared += 1;
    }
    if (shared >= MAX_SHARED) return true;
    if (this.#used >= this.#most) return false;
    this.#hashes[at] = key;
    this.#owners[at] = owner;
    this.#used += 1;
    return true;
  }

  /** Writes the sources of a hash into an array of {@link MAX_SHARED} places. @returns their number */
  sourcesOf(hash: number, check: number, into: Uint16Array): number {
    const key = hash === 0 ? 1 : hash;
    let count = 0;
    for (let at = this.#first(key); this.#hashes[at] !== 0; at = (at + 1) & this.#mask) {
      const owner = this.#owners[at] ?? 0;
      if (this.#hashes[at] === key && owner >>> 16 === check) into[count++] = owner & 0xffff;
    }
    return count;
  }

  #first(key: number): number {
    return Math.imul(key, 0x9e3779b1) & this.#mask;
  }
}
