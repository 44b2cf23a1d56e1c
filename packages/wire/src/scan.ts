import { isUtf8 } from "node:buffer";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import { MAX_DEPTH, MAX_ITEMS } from "./limits.ts";

// RFC 8949 section 3: major type in the high three bits, additional information in the low five.
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

const FALSE = 20;
const NULL = 22;
const FLOAT_16 = 25;
const FLOAT_64 = 27;
const INDEFINITE = 31;

const PROTO = Buffer.from("__proto__", "latin1");

/** One pass over one frame's CBOR; builds nothing, so its memory does not depend on the input. */
class Scanner {
  readonly #bytes: Uint8Array;
  #at = 0;
  #items = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  scan(): void {
    if ((this.#bytes[0] ?? 0) >> 5 !== MAP) this.#fail("WIRE_MALFORMED", "a frame is not a map");
    this.#item(0);
    if (this.#at !== this.#bytes.length) this.#fail("WIRE_TRAILING_BYTES", "bytes after the item");
  }

  #fail(code: ErrorCode, why: string): never {
    throw new CmcpError(code, `${why} at byte ${this.#at}`, { detail: { offset: this.#at } });
  }

  /** Claims `count` items before any of them is read, so that a length alone can exceed the limit. */
  #claim(count: number): void {
    this.#items += count;
    if (this.#items > MAX_ITEMS) this.#fail("WIRE_TOO_MANY_ITEMS", `more than ${MAX_ITEMS} items`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.#fail("WIRE_TRUNCATED", "an item ends early");
    this.#at += 1;
    return byte;
  }

  /** The argument of an initial byte, in its one shortest form (RFC 8949 section 4.2.1). */
  #argument(information: number): number {
    if (information < 24) return information;
    if (information > 27) this.#fail("WIRE_MALFORMED", "reserved additional information");
    const width = 1 << (information - 24);
    let value = 0;
    for (let index = 0; index < width; index += 1) value = value * 256 + this.#byte();
    // Above 2^53 the sum is inexact, but never small enough to pass.
    if (!Number.isSafeInteger(value)) this.#fail("WIRE_MALFORMED", "an integer or length exceeds 2^53-1");
    const least = width === 1 ? 24 : 2 ** (width * 4);
    if (value < least) this.#fail("WIRE_NON_CANONICAL", "an integer or length is not in its shortest form");
    return value;
  }

  #length(information: number): number {
    if (information === INDEFINITE) this.#fail("WIRE_INDEFINITE_LENGTH", "an item has no definite length");
    return this.#argument(information);
  }

  #item(depth: number): void {
    if (depth === 0) this.#claim(1);
    const initial = this.#byte();
    const major = initial >> 5;
    const information = initial & 0x1f;
    switch (major) {
      case UNSIGNED:
        this.#argument(information);
        return;
      case NEGATIVE:
        return this.#fail("WIRE_MALFORMED", "a negative integer");
      case BYTES:
        this.#span(information);
        return;
      case TEXT:
        this.#text(information);
        return;
      case ARRAY:
        return this.#array(this.#length(information), depth + 1);
      case MAP:
        return this.#map(this.#length(information), depth + 1);
      case TAG:
        return this.#fail("WIRE_TAG_FORBIDDEN", "a tag");
      default:
        this.#simple(information);
    }
  }

  #simple(information: number): void {
    if (information >= FALSE && information <= NULL) return;
    if (information >= FLOAT_16 && information <= FLOAT_64)
      this.#fail("WIRE_FLOAT_FORBIDDEN", "a floating-point number");
    if (information === INDEFINITE) this.#fail("WIRE_INDEFINITE_LENGTH", "a break");
    this.#fail("WIRE_SIMPLE_FORBIDDEN", "a simple value other than true, false and null");
  }

  #array(count: number, depth: number): void {
    this.#enter(count, depth);
    for (let index = 0; index < count; index += 1) this.#item(depth);
  }

  #map(count: number, depth: number): void {
    this.#enter(count * 2, depth);
    let previousStart = 0;
    let previousEnd = 0;
    for (let index = 0; index < count; index += 1) {
      const start = this.#at;
      this.#key();
      const end = this.#at;
      if (index > 0) this.#ascending(previousStart, previousEnd, start, end);
      previousStart = start;
      previousEnd = end;
      this.#item(depth);
    }
  }

  #enter(items: number, depth: number): void {
    if (depth > MAX_DEPTH) this.#fail("WIRE_TOO_DEEP", `nested deeper than ${MAX_DEPTH}`);
    this.#claim(items);
  }

  #key(): void {
    const initial = this.#byte();
    if (initial >> 5 !== TEXT) this.#fail("WIRE_KEY_FORBIDDEN", "a key is not text");
    const start = this.#text(initial & 0x1f);
    if (this.#at - start === PROTO.length && PROTO.equals(this.#bytes.subarray(start, this.#at))) {
      this.#fail("WIRE_KEY_FORBIDDEN", "key __proto__");
    }
  }

  /** Keys ascend bytewise in their encoded form, header included (RFC 8949 section 4.2.1). */
  #ascending(previousStart: number, previousEnd: number, start: number, end: number): void {
    const common = Math.min(previousEnd - previousStart, end - start);
    for (let index = 0; index < common; index += 1) {
      const difference = (this.#bytes[start + index] ?? 0) - (this.#bytes[previousStart + index] ?? 0);
      if (difference > 0) return;
      if (difference < 0) this.#fail("WIRE_NON_CANONICAL", "keys are not sorted");
    }
    // The header carries the length, so equal over the shorter one means equal.
    this.#fail("WIRE_DUPLICATE_KEY", "duplicate key in one map");
  }

  /** Skips a string's content and returns where it starts. */
  #span(information: number): number {
    const length = this.#length(information);
    if (length > this.#bytes.length - this.#at) this.#fail("WIRE_TRUNCATED", "a string is longer than its frame");
    const start = this.#at;
    this.#at += length;
    return start;
  }

  #text(information: number): number {
    const start = this.#span(information);
    const bytes = this.#bytes;
    let index = start;
    while (index < this.#at && (bytes[index] ?? 0) < 0x80) index += 1;
    if (index === this.#at) return start;
    if (!isUtf8(bytes.subarray(index, this.#at))) this.#fail("WIRE_INVALID_UTF8", "text is not valid UTF-8");
    // Decoders differ on whether a leading byte order mark is part of the text.
    if (index === start && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) {
      this.#fail("WIRE_INVALID_UTF8", "text starts with a byte order mark");
    }
    return start;
  }
}

/**
 * Accepts one CBOR map of the wire's profile and nothing else, with no byte left over. Lengths are definite, integers
 * are shortest and from 0 to 2^53-1. Keys are text in ascending order, each once. Other values are valid UTF-8,
 * `true`, `false` and `null`. There are at most {@link MAX_DEPTH} levels and {@link MAX_ITEMS} items.
 *
 * @throws CmcpError `WIRE_*`, naming the first rule broken.
 */
export function scanProfile(bytes: Uint8Array): void {
  new Scanner(bytes).scan();
}
