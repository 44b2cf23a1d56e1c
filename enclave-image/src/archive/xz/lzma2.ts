import { malformed } from "../malformed.ts";
import { LzmaState } from "./lzma.ts";
import { RangeDecoder } from "./range-decoder.ts";

/** Bytes that hold the decoded data, grown by doubling up to a limit. */
export class Output {
  #bytes = new Uint8Array(1 << 20);
  readonly #limit: number;
  length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The buffer, with room for `more` bytes after `length`. @throws CmcpError `IMAGE_INPUT_INVALID` over the limit */
  reserve(more: number): Uint8Array {
    const needed = this.length + more;
    if (needed > this.#limit) throw malformed("xz", `the data is larger than ${this.#limit} bytes`);
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.#limit, this.#bytes.length * 2)));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    return this.#bytes;
  }

  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/**
 * Decodes one LZMA2 stream that starts at `from` and appends it to `output`. The whole of what is decoded serves as
 * window, so the dictionary size of the header needs no memory of its own.
 *
 * @returns where the byte after the stream's end marker is
 */
export function decodeLzma2(bytes: Uint8Array, from: number, output: Output): number {
  const start = output.length;
  let at = from;
  let state: LzmaState | null = null;
  let properties = -1;
  let windowStart = start;
  for (;;) {
    const control = bytes[at];
    if (control === undefined) throw malformed("xz", "a block ends early");
    if (control === 0) return at + 1;
    if (control < 0x80) {
      // 1 and 2 are plain bytes, with and without a reset of the dictionary.
      if (control > 2) throw malformed("xz", "an unknown kind of chunk");
      if (control === 1) windowStart = output.length;
      const size = be16(bytes, at + 1) + 1;
      const from = at + 3;
      if (from + size > bytes.length) throw malformed("xz", "a plain chunk ends early");
      output.reserve(size).set(bytes.subarray(from, from + size), output.length);
      output.length += size;
      at = from + size;
      continue;
    }
    const unpacked = ((control & 0x1f) << 16) + be16(bytes, at + 1) + 1;
    const packed = be16(bytes, at + 3) + 1;
    at += 5;
    const reset = (control >> 5) & 3;
    if (reset === 3) windowStart = output.length;
    if (reset >= 2) {
      properties = bytes[at] ?? -1;
      at += 1;
    }
    if (reset >= 1) {
      if (properties < 0) throw malformed("xz", "a chunk comes without properties");
      state = new LzmaState(properties);
    }
    if (state === null) throw malformed("xz", "the first chunk resets nothing");
    if (at + packed > bytes.length) throw malformed("xz", "a chunk ends early");
    const range = new RangeDecoder(bytes, at, at + packed);
    state.decode(range, output.reserve(unpacked), {
      start: windowStart,
      at: output.length,
      end: output.length + unpacked,
    });
    if (!range.finished) throw malformed("xz", "a chunk has bytes to spare");
    output.length += unpacked;
    at += packed;
  }
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
