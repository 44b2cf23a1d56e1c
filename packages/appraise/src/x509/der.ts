import { CmcpError } from "@cmcp/boundary";

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
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get empty(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The next element, of this tag when one is given. */
  next(tag?: number): DerElement {
    const start = this.#offset;
    const found = this.#byte();
    if ((found & 0x1f) === 0x1f) throw this.malformed("has a tag of several bytes");
    if (tag !== undefined && found !== tag) throw this.malformed(`has tag ${found} where ${tag} is due`);
    const length = this.#length();
    if (length > this.#bytes.length - this.#offset) throw this.malformed("is truncated");
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return { tag: found, content, whole: this.#bytes.subarray(start, this.#offset) };
  }

  /** The next element when it has this tag, else `undefined` and nothing is consumed. */
  optional(tag: number): DerElement | undefined {
    return this.#bytes[this.#offset] === tag ? this.next(tag) : undefined;
  }

  /** A reader of the next element's content. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content, this.#what);
  }

  end(): void {
    if (!this.empty) throw this.malformed("has bytes too many");
  }

  malformed(problem: string): CmcpError {
    return new CmcpError("EVIDENCE_MALFORMED", `${this.#what} ${problem}`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw this.malformed("is truncated");
    this.#offset += 1;
    return byte;
  }

  // X.690 8.1.3 and 10.1. Three length bytes reach 16 MiB, above every bound here. The indefinite form has none,
  // and is refused like any length that could be shorter.
  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count > 3) throw this.malformed("has an oversized length");
    let length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw this.malformed("has a length that is not the shortest");
    return length;
  }
}
