import { malformed } from "../malformed.ts";

/** Bits of a probability; the scale of every {@link RangeDecoder.bit} model. */
const MODEL_BITS = 11;
/** How fast a probability follows what was seen. */
const MOVE_BITS = 5;
/** Below this the range takes in another byte. */
const TOP = 2 ** 24;

/** Probabilities, all even at the start. */
export function models(count: number): Uint16Array {
  return new Uint16Array(count).fill(2 ** (MODEL_BITS - 1));
}

/** The range decoder of LZMA: reads bits under adaptive probabilities (lzma-specification, "Range Decoder"). */
export class RangeDecoder {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  #range = 0xff_ff_ff_ff;
  #code = 0;

  /** Decodes `bytes[from, to)`, of which the first five set it up. */
  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#at = from + 5;
    this.#end = to;
    if (this.#at > to || bytes[from] !== 0) throw malformed("xz", "a chunk does not start as LZMA data does");
    for (let index = from + 1; index < this.#at; index += 1)
      this.#code = ((this.#code << 8) | (bytes[index] ?? 0)) >>> 0;
  }

  /** Whether every byte was taken and the coder is at rest, as it must be at a chunk's end. */
  get finished(): boolean {
    return this.#at === this.#end && this.#code === 0;
  }

  #refill(): void {
    if (this.#at >= this.#end) throw malformed("xz", "a chunk ends early");
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#bytes[this.#at] ?? 0)) >>> 0;
    this.#at += 1;
  }

  /** One bit under the probability `model[index]`. */
  bit(model: Uint16Array, index: number): 0 | 1 {
    const probability = model[index] ?? 0;
    const bound = (this.#range >>> MODEL_BITS) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      model[index] = probability + ((2 ** MODEL_BITS - probability) >>> MOVE_BITS);
      if (this.#range < TOP) this.#refill();
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    model[index] = probability - (probability >>> MOVE_BITS);
    if (this.#range < TOP) this.#refill();
    return 1;
  }

  /** `count` bits of equal probability, most significant first. */
  direct(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left -= 1) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      value = value * 2 + bit;
      if (this.#range < TOP) this.#refill();
    }
    return value;
  }

  /** A symbol of `bits` bits from a tree of models that starts at `base`, most significant bit first. */
  tree(model: Uint16Array, base: number, bits: number): number {
    let node = 1;
    for (let left = bits; left > 0; left -= 1) node = (node << 1) | this.bit(model, base + node);
    return node - (1 << bits);
  }

  /** As {@link tree}, least significant bit first. */
  reverseTree(model: Uint16Array, base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let place = 0; place < bits; place += 1) {
      const bit = this.bit(model, base + node);
      node = (node << 1) | bit;
      value |= bit << place;
    }
    return value;
  }
}
