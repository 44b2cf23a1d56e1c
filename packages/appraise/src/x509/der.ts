import { ByteReader, CmcpError } from "@cmcp/boundary";

/** Tags used in certificates and revocation lists (X.690 8.1.2, X.680 8.6). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of a context-specific element, constructed or primitive. */
export const contextTag = (number: number, constructed = true): number => (constructed ? 0xa0 : 0x80) + number;

/** One element: its tag, its content, and all its bytes with tag and length. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

/**
 * Reads DER elements (X.690 section 10) one after another. Lengths are definite and shortest, tags one byte;
 * everything else throws `EVIDENCE_MALFORMED`. Depth is that of the calling code: nothing recurses by itself.
 */
export class DerReader {
  readonly #reader: ByteReader;
  readonly #name: string;

  constructor(bytes: Uint8Array, name: string) {
    this.#reader = new ByteReader(bytes, name, "big");
    this.#name = name;
  }

  get empty(): boolean {
    return this.#reader.remaining === 0;
  }

  /** The next element. It must have this tag when one is named. */
  next(tag?: number): DerElement {
    const start = this.#reader.offset;
    const found = this.#reader.u8();
    if ((found & 0x1f) === 0x1f) throw this.malformed("has a tag of several bytes");
    if (tag !== undefined && found !== tag) throw this.malformed(`has tag ${found} instead of ${tag}`);
    const content = this.#reader.take(this.#length());
    return { tag: found, content, whole: this.#reader.bytes.subarray(start, this.#reader.offset) };
  }

  /** The next element when it has this tag, else `undefined` and nothing is consumed. */
  optional(tag: number): DerElement | undefined {
    return this.#reader.bytes[this.#reader.offset] === tag ? this.next(tag) : undefined;
  }

  /** A reader of the next element's content. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content, this.#name);
  }

  /** Throws `EVIDENCE_MALFORMED` when elements remain. */
  end(): void {
    this.#reader.end();
  }

  malformed(problem: string): CmcpError {
    return new CmcpError("EVIDENCE_MALFORMED", `${this.#name} ${problem}`);
  }

  // X.690 8.1.3 and 10.1. Three length bytes reach 16 MiB, above every bound here. The indefinite form has none,
  // and is refused like any length that could be shorter.
  #length(): number {
    const first = this.#reader.u8();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count > 3) throw this.malformed("has an oversized length");
    const length = this.#reader.take(count).reduce((value, byte) => value * 256 + byte, 0);
    if (length < 0x80 || length < 256 ** (count - 1)) throw this.malformed("has a length that is not the shortest");
    return length;
  }
}
