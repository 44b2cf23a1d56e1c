import { ByteReader } from "@cmcp/boundary";
import { malformed } from "./malformed.ts";

/** Most CBOR items of an envelope, those that are skipped included. */
export const MAX_CBOR_ITEMS = 1_000;
/** Deepest nesting of what is skipped. */
export const MAX_CBOR_DEPTH = 16;

/** Major types (RFC 8949 section 3.1). */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

interface Head {
  readonly type: number;
  /** Value, length, number of items or tag. */
  readonly argument: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads CBOR that a stranger chose: definite lengths and shortest heads only (RFC 8949 section 4.2.1). Nothing is built of it but what is
 * asked for.
 */
export class CborReader {
  readonly #reader: ByteReader;
  #items = 0;

  /** @param what names the structure in errors, which are `AGENT_MANIFEST_MALFORMED` */
  constructor(bytes: Uint8Array, what: string) {
    this.#reader = new ByteReader(bytes, `the agent manifest: ${what}`, "big", "AGENT_MANIFEST_MALFORMED");
  }

  tag(expected: number): void {
    if (this.#head(TAG, "a tag").argument !== expected) throw malformed(`it has another CBOR tag than ${expected}`);
  }

  array(length: number): void {
    if (this.#head(ARRAY, "an array").argument !== length) throw malformed(`it is not an array of ${length}`);
  }

  /** A byte string, a view. */
  bytes(): Uint8Array {
    return this.#reader.take(this.#head(BYTES, "a byte string").argument);
  }

  text(): string {
    return this.#decoded(this.#head(TEXT, "a text").argument);
  }

  /** An integer of either sign. */
  integer(): number {
    const { type, argument } = this.#next();
    if (type === UNSIGNED) return argument;
    if (type === NEGATIVE) return -1 - argument;
    throw malformed("an integer is expected");
  }

  /** Calls back for each label of a map. The callback reads or skips the value. Labels are integers or texts, each once. */
  map(member: (label: number | string) => void): void {
    const seen = new Set<number | string>();
    for (let left = this.#head(MAP, "a map").argument; left > 0; left -= 1) {
      const label = this.#label();
      if (seen.has(label)) throw malformed("a header names a label twice");
      seen.add(label);
      member(label);
    }
  }

  /** Goes over one value of any kind. */
  skip(depth = 0): void {
    if (depth > MAX_CBOR_DEPTH) throw malformed(`CBOR is nested deeper than ${MAX_CBOR_DEPTH}`);
    const { type, argument } = this.#next();
    if (type === BYTES || type === TEXT) this.#reader.skip(argument);
    const inner = type === ARRAY ? argument : type === MAP ? argument * 2 : type === TAG ? 1 : 0;
    for (let left = inner; left > 0; left -= 1) this.skip(depth + 1);
  }

  /** @throws CmcpError `AGENT_MANIFEST_MALFORMED` if bytes remain */
  end(): void {
    this.#reader.end();
  }

  #label(): number | string {
    const { type, argument } = this.#next();
    if (type === UNSIGNED) return argument;
    if (type === NEGATIVE) return -1 - argument;
    if (type === TEXT) return this.#decoded(argument);
    throw malformed("a header has a label that is neither integer nor text");
  }

  #decoded(length: number): string {
    try {
      return decoder.decode(this.#reader.take(length));
    } catch (thrown) {
      throw malformed("a text is not in its bounds, or not UTF-8", thrown);
    }
  }

  #head(type: number, what: string): Head {
    const head = this.#next();
    if (head.type !== type) throw malformed(`${what} is expected`);
    return head;
  }

  #next(): Head {
    this.#items += 1;
    if (this.#items > MAX_CBOR_ITEMS) throw malformed(`it has more than ${MAX_CBOR_ITEMS} CBOR items`);
    const initial = this.#reader.u8();
    return { type: initial >> 5, argument: this.#argument(initial >> 5, initial & 31) };
  }

  /** The argument of a head (RFC 8949 section 3). Of simple values and floats it is read and not checked. */
  #argument(type: number, info: number): number {
    if (info < 24) return info;
    const least = [24, 0x100, 0x1_0000, 0x1_0000_0000][info - 24];
    if (least === undefined) throw malformed("CBOR of indefinite length is not accepted");
    const value = [
      () => this.#reader.u8(),
      () => this.#reader.u16(),
      () => this.#reader.u32(),
      () => Number(this.#reader.u64()),
    ][info - 24]?.();
    if (value === undefined || (type <= TAG && value < least)) throw malformed("a CBOR head is not the shortest");
    return value;
  }
}

/** The head of a byte string of so many bytes. */
export function bytesHead(length: number): readonly number[] {
  const major = BYTES << 5;
  if (length < 24) return [major | length];
  if (length < 0x100) return [major | 24, length];
  if (length < 0x1_0000) return [major | 25, length >> 8, length & 255];
  return [major | 26, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
}
