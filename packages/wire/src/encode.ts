import { CmcpError } from "@cmcp/boundary";
import type { WireMap, WireValue } from "./codec.ts";
import { LENGTH_PREFIX_BYTES, MAX_DEPTH, MAX_FRAME_BYTES, MAX_WIRE_FRAME_BYTES } from "./limits.ts";

// RFC 8949 section 3: initial bytes of the major types, and of the simple values.
const UNSIGNED = 0x00;
const BYTES = 0x40;
const TEXT = 0x60;
const ARRAY = 0x80;
const MAP = 0xa0;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;

/** Bytes of the longest head. */
const MOST_OF_A_HEAD = 9;

/** Writes the wire's profile into the bytes of one frame, which are copied once it is whole. */
class Writer {
  // A head may begin on the last byte, and a text that does not fit is cut within 3 bytes of the end: both are then beyond the limit.
  readonly #bytes = Buffer.alloc(MAX_WIRE_FRAME_BYTES + MOST_OF_A_HEAD);
  #at = 0;

  /** The map with its length before it. */
  frame(map: WireMap): Buffer {
    this.#at = LENGTH_PREFIX_BYTES;
    this.#map(map, 1);
    this.#room(0);
    this.#bytes.writeUInt32BE(this.#at - LENGTH_PREFIX_BYTES, 0);
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #room(length: number): void {
    if (length > MAX_WIRE_FRAME_BYTES - this.#at) throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a frame would be larger than ${MAX_FRAME_BYTES} bytes`);
  }

  #byte(byte: number): void {
    this.#bytes[this.#at] = byte;
    this.#at += 1;
  }

  /** A head in shortest form (RFC 8949 section 4.2.1). */
  #head(major: number, argument: number): void {
    this.#room(1);
    if (argument < 24) this.#byte(major | argument);
    else if (argument < 0x100) {
      this.#byte(major | 24);
      this.#byte(argument);
    } else if (argument < 0x1_0000) {
      this.#byte(major | 25);
      this.#at = this.#bytes.writeUInt16BE(argument, this.#at);
    } else if (argument < 0x1_0000_0000) {
      this.#byte(major | 26);
      this.#at = this.#bytes.writeUInt32BE(argument, this.#at);
    } else {
      this.#byte(major | 27);
      this.#at = this.#bytes.writeBigUInt64BE(BigInt(argument), this.#at);
    }
  }

  #value(value: WireValue, depth: number): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number") this.#number(value);
    else if (value === null) this.#byte(NULL);
    else if (typeof value === "boolean") this.#byte(value ? TRUE : FALSE);
    else if (value instanceof Uint8Array) {
      this.#head(BYTES, value.length);
      this.#room(value.length);
      this.#bytes.set(value, this.#at);
      this.#at += value.length;
    } else if (typeof value !== "object") throw new CmcpError("WIRE_MALFORMED", `a value is ${typeof value}`);
    else this.#nested(value, depth + 1);
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new CmcpError("WIRE_MALFORMED", "a number is not an integer from 0 to 2^53-1");
    this.#head(UNSIGNED, value);
  }

  #nested(value: readonly WireValue[] | WireMap, depth: number): void {
    if (depth > MAX_DEPTH) throw new CmcpError("WIRE_TOO_DEEP", `nested deeper than ${MAX_DEPTH}`);
    if (isArray(value)) {
      this.#head(ARRAY, value.length);
      for (const item of value) this.#value(item, depth);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) throw new CmcpError("WIRE_MALFORMED", "an object is not a plain record");
    this.#map(value, depth);
  }

  #map(map: WireMap, depth: number): void {
    const keys = sortedKeys(map);
    this.#head(MAP, keys.length);
    for (const { text } of keys) {
      if (text === "__proto__") throw new CmcpError("WIRE_KEY_FORBIDDEN", "key __proto__");
      this.#text(text);
      this.#value(map[text] ?? null, depth);
    }
  }

  #text(text: string): void {
    const start = this.#at;
    this.#head(TEXT, text.length);
    const length = this.#bytes.write(text, this.#at);
    // As many bytes as characters are ASCII, as nearly every text is. Of others the head is longer or says more.
    if (length === text.length) this.#at += length;
    else this.#unicode(text, start);
  }

  #unicode(text: string, start: number): void {
    if (!text.isWellFormed() || text.startsWith("\ufeff")) throw new CmcpError("WIRE_INVALID_UTF8", "text has a lone surrogate or starts with a byte order mark");
    const length = Buffer.byteLength(text);
    this.#at = start;
    this.#head(TEXT, length);
    this.#at += this.#bytes.write(text, this.#at);
  }
}

function isArray(value: readonly WireValue[] | WireMap): value is readonly WireValue[] {
  return Array.isArray(value);
}

interface Key {
  readonly text: string;
  readonly bytes: number;
}

/** The keys of a map that have a value, by insertion: there are few, and they are mostly in order. */
function sortedKeys(map: WireMap): readonly Key[] {
  const sorted: Key[] = [];
  for (const text of Object.keys(map)) {
    if (map[text] === undefined) continue;
    const key = { text, bytes: Buffer.byteLength(text) };
    let at = sorted.length;
    for (let before = sorted[at - 1]; before !== undefined && byEncoding(key, before) < 0; before = sorted[at - 1]) {
      sorted[at] = before;
      at -= 1;
    }
    sorted[at] = key;
  }
  return sorted;
}

/** RFC 8949 section 4.2.1: for text in shortest form, shorter encoded keys first, then bytewise. */
function byEncoding(left: Key, right: Key): number {
  if (left.bytes !== right.bytes) return left.bytes - right.bytes;
  // Of equal byte and character counts are ASCII strings, whose bytes are their characters.
  if (left.text.length === left.bytes && right.text.length === right.bytes) return left.text < right.text ? -1 : 1;
  return Buffer.from(left.text, "utf8").compare(Buffer.from(right.text, "utf8"));
}

const writer = new Writer();

/**
 * Encodes a map as a frame in the wire's profile, its length before it: keys sorted, shortest lengths. A member that is
 * `undefined` is left out.
 *
 * @throws CmcpError `WIRE_MALFORMED`, `WIRE_KEY_FORBIDDEN`, `WIRE_INVALID_UTF8`, `WIRE_TOO_DEEP` for what
 * the profile cannot carry, `WIRE_FRAME_TOO_LARGE`.
 */
export function encodeWithLength(map: WireMap): Uint8Array {
  return writer.frame(map);
}
