import { malformed } from "../malformed.ts";
import { models, type RangeDecoder } from "./range-decoder.ts";

const STATES = 12;
const POSITION_STATES_MAX = 16;
/** Lengths below this pick their own distance slots. */
const LENGTH_STATES = 4;
const MATCH_LENGTH_MIN = 2;
/** Distance slots from here on are followed by bits outside the models. */
const DIRECT_SLOT = 14;
const ALIGN_BITS = 4;

/** Length of a match: 3 bits low, 3 bits middle or 8 bits high. */
class LengthModel {
  readonly #choice = models(2);
  readonly #low = models(POSITION_STATES_MAX << 3);
  readonly #middle = models(POSITION_STATES_MAX << 3);
  readonly #high = models(256);

  read(range: RangeDecoder, positionState: number): number {
    if (range.bit(this.#choice, 0) === 0) return range.tree(this.#low, positionState << 3, 3);
    if (range.bit(this.#choice, 1) === 0) return 8 + range.tree(this.#middle, positionState << 3, 3);
    return 16 + range.tree(this.#high, 0, 8);
  }
}

/** Which part of the output is written, and how far back matches may reach. */
interface Span {
  readonly start: number;
  readonly at: number;
  readonly end: number;
}

/** The models and memory of an LZMA stream, made anew at each state reset (lzma-specification, "Main loop"). */
export class LzmaState {
  readonly #literalContext: number;
  readonly #literalPositionMask: number;
  readonly #positionMask: number;
  readonly #literals: Uint16Array;
  readonly #isMatch = models(STATES << 4);
  readonly #isRep = models(STATES);
  readonly #isRepG0 = models(STATES);
  readonly #isRepG1 = models(STATES);
  readonly #isRepG2 = models(STATES);
  readonly #isRep0Long = models(STATES << 4);
  readonly #distanceSlots = models(LENGTH_STATES << 6);
  readonly #distances = models(128);
  readonly #align = models(1 << ALIGN_BITS);
  readonly #matchLength = new LengthModel();
  readonly #repeatLength = new LengthModel();
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;

  /** @param properties the byte `(pb * 5 + lp) * 9 + lc`, with `lc + lp <= 4` as LZMA2 asks */
  constructor(properties: number) {
    const lc = properties % 9;
    const rest = Math.floor(properties / 9);
    const lp = rest % 5;
    const pb = Math.floor(rest / 5);
    if (pb > 4 || lc + lp > 4) throw malformed("xz", "a chunk has impossible properties");
    this.#literalContext = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.#literals = models(0x300 << (lc + lp));
  }

  /**
   * Decodes until `out` is filled from `at` to `end`. Matches reach back to `start` at most.
   *
   * @throws CmcpError `IMAGE_INPUT_INVALID` when a match leaves the window or the chunk
   */
  decode(range: RangeDecoder, out: Uint8Array, { start, at, end }: Span): void {
    let position = at;
    while (position < end) {
      const positionState = (position - start) & this.#positionMask;
      if (range.bit(this.#isMatch, (this.#state << 4) + positionState) === 0) {
        out[position] = this.#literal(range, out, start, position);
        position += 1;
        continue;
      }
      const length = this.#match(range, positionState);
      const distance = this.#rep0 + 1;
      if (length === 0 || distance > position - start || position + length > end)
        throw malformed("xz", "a match leaves the data");
      // Source and destination overlap when the distance is shorter than the length, so bytes go one by one.
      for (let left = length; left > 0; left -= 1, position += 1) out[position] = out[position - distance] ?? 0;
    }
  }

  #literal(range: RangeDecoder, out: Uint8Array, start: number, position: number): number {
    const previous = position > start ? (out[position - 1] ?? 0) : 0;
    const context =
      (((position - start) & this.#literalPositionMask) << this.#literalContext) +
      (previous >> (8 - this.#literalContext));
    const base = 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      if (this.#rep0 + 1 > position - start) throw malformed("xz", "a literal refers to data before the window");
      let matched = out[position - this.#rep0 - 1] ?? 0;
      while (symbol < 0x100) {
        const expected = (matched >> 7) & 1;
        matched <<= 1;
        const bit = range.bit(this.#literals, base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (expected !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | range.bit(this.#literals, base + symbol);
    this.#state = this.#state < 4 ? 0 : this.#state - (this.#state < 10 ? 3 : 6);
    return symbol & 0xff;
  }

  /** Reads a match's distance into `rep0` and returns its length; 0 for the end marker, which LZMA2 does not have. */
  #match(range: RangeDecoder, positionState: number): number {
    if (range.bit(this.#isRep, this.#state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      const length = this.#matchLength.read(range, positionState);
      this.#state = this.#state < 7 ? 7 : 10;
      this.#rep0 = this.#distance(range, length);
      return this.#rep0 === 0xff_ff_ff_ff ? 0 : length + MATCH_LENGTH_MIN;
    }
    if (range.bit(this.#isRepG0, this.#state) === 0) {
      if (range.bit(this.#isRep0Long, (this.#state << 4) + positionState) === 0) {
        this.#state = this.#state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      this.#rotate(range);
    }
    this.#state = this.#state < 7 ? 8 : 11;
    return this.#repeatLength.read(range, positionState) + MATCH_LENGTH_MIN;
  }

  /** Brings an older distance to the front. */
  #rotate(range: RangeDecoder): void {
    let distance = this.#rep1;
    if (range.bit(this.#isRepG1, this.#state) === 1) {
      distance = this.#rep2;
      if (range.bit(this.#isRepG2, this.#state) === 1) {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #distance(range: RangeDecoder, length: number): number {
    const slot = range.tree(this.#distanceSlots, Math.min(length, LENGTH_STATES - 1) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < DIRECT_SLOT) return base + range.reverseTree(this.#distances, base - slot, bits);
    return base + range.direct(bits - ALIGN_BITS) * 2 ** ALIGN_BITS + range.reverseTree(this.#align, 0, ALIGN_BITS);
  }
}
