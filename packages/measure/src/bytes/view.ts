import { invalid } from "./refuse.ts";

/**
 * Little-endian reads at offsets that the bytes themselves name. Every read outside of the bytes throws
 * `MEASURE_INPUT_INVALID` and names what was being read; {@link ByteView.slice} gives views, nothing is copied.
 */
export class ByteView {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  /** @param what the structure's name, for error messages. */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get length(): number {
    return this.bytes.length;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#within(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#within(offset, 2), true);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#within(offset, 4), true);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(this.#within(offset, 8), true);
  }

  slice(offset: number, length: number): Uint8Array {
    this.#within(offset, length);
    return this.bytes.subarray(offset, offset + length);
  }

  #within(offset: number, length: number): number {
    const inside =
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.bytes.length;
    if (!inside)
      throw invalid(this.#what, `${length} bytes at offset ${offset} are not in its ${this.bytes.length} bytes`);
    return offset;
  }
}
