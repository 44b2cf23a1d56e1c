import { CmcpError } from "./error.ts";

/** Byte order of a structure's integers: AMD and Intel write little endian, the TCG big endian. */
export type ByteOrder = "little" | "big";

/**
 * Reads a binary structure front to back. Every read beyond the end throws `EVIDENCE_MALFORMED` and names what
 * was being read; nothing is copied, {@link ByteReader.take} gives views.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  readonly #little: boolean;
  #offset = 0;

  /** @param what the structure's name, for error messages. */
  constructor(bytes: Uint8Array, what: string, order: ByteOrder) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.#little = order === "little";
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), this.#little);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), this.#little);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), this.#little);
  }

  /** The next `length` bytes, a view of the input. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /** @throws CmcpError `EVIDENCE_MALFORMED` if bytes remain */
  end(): void {
    if (this.remaining !== 0)
      throw new CmcpError("EVIDENCE_MALFORMED", `${this.#what}: ${this.remaining} bytes too many`);
  }

  #advance(length: number): number {
    if (!Number.isSafeInteger(length) || length < 0 || length > this.remaining) {
      throw new CmcpError(
        "EVIDENCE_MALFORMED",
        `${this.#what} is truncated: ${length} bytes wanted at ${this.#offset}, ${this.remaining} there`,
      );
    }
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

/** True for the same bytes. Not constant-time: evidence is public. */
export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

/**
 * The bytes without trailing zeros, as a view. The loop runs from the end, so its time is linear.
 */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** True when every byte is zero; an empty array is. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
