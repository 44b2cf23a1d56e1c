import type { ErrorCode } from "./codes.ts";
import { CmcpError } from "./error.ts";

/** Byte order of a structure's integers: AMD and Intel write little endian, the TCG big endian. */
export type ByteOrder = "little" | "big";

/**
 * The one reader of binary structures. It reads from front to back, and {@link ByteReader.at} starts at an offset that
 * the bytes themselves name. A read outside of the bytes throws a CmcpError of the reader's code, which names the
 * structure. Nothing is copied: {@link ByteReader.take} and {@link ByteReader.slice} give views.
 */
export class ByteReader {
  /** The whole structure, wherever the reader is in it. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #order: ByteOrder;
  readonly #code: ErrorCode;
  #offset = 0;

  /**
   * @param name the structure's name, which begins every error message
   * @param code the code of every error
   */
  constructor(bytes: Uint8Array, name: string, order: ByteOrder, code: ErrorCode = "EVIDENCE_MALFORMED") {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
    this.#order = order;
    this.#code = code;
  }

  /** Bytes of the whole structure. */
  get length(): number {
    return this.bytes.length;
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes from the offset to the end. */
  get remaining(): number {
    return this.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), this.#order === "little");
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), this.#order === "little");
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), this.#order === "little");
  }

  /** The next `length` bytes, a view. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** All bytes from the offset to the end, a view. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** Another reader of the same structure, at `offset` from its start. This reader does not move. */
  at(offset: number): ByteReader {
    const reader = new ByteReader(this.bytes, this.#name, this.#order, this.#code);
    reader.skip(offset);
    return reader;
  }

  /** `length` bytes at `offset` from the start, a view. This reader does not move. */
  slice(offset: number, length: number): Uint8Array {
    return this.at(offset).take(length);
  }

  /** @throws CmcpError of the given code if bytes remain */
  end(): void {
    if (this.remaining !== 0) throw new CmcpError(this.#code, `${this.#name}: ${this.remaining} bytes too many`);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (!Number.isSafeInteger(length) || length < 0 || length > this.remaining)
      throw new CmcpError(
        this.#code,
        `${this.#name} is truncated: ${length} bytes at offset ${start} are not in its ${this.length} bytes`,
      );
    this.#offset += length;
    return start;
  }
}

/** True for the same bytes. Not constant-time: evidence is public. */
export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/** The bytes without trailing zeros, as a view. The loop runs from the end, so its time is linear. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** True when every byte is zero; an empty array is. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
