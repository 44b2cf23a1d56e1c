import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
// The build without code generation is also the one without the native addon.
import { Decoder, Encoder, type Options } from "cbor-x/index-no-eval";
import { MAX_DEPTH, MAX_FRAME_BYTES } from "./limits.ts";
import { scanProfile } from "./scan.ts";

/** What the wire's CBOR profile can carry. Numbers are integers from 0 to 2^53-1. */
export type WireValue = number | string | boolean | null | Uint8Array | readonly WireValue[] | WireMap;
/** A CBOR map with text keys. */
export interface WireMap {
  readonly [key: string]: WireValue | undefined;
}

// cbor-x reads `int64AsNumber` and `useTag259ForMaps`, but its types lack them.
const decoderOptions: Options & { int64AsNumber: true } = {
  useRecords: false,
  mapsAsObjects: true,
  int64AsNumber: true,
};
const encoderOptions: Options & { useTag259ForMaps: false } = {
  useRecords: false,
  mapsAsObjects: true,
  tagUint8Array: false,
  useTag259ForMaps: false,
};
const decoder = new Decoder(decoderOptions);
const encoder = new Encoder(encoderOptions);

/**
 * Decodes one frame's CBOR map. The bytes pass {@link scanProfile} first, so the decoder never sees a
 * tag and has nothing to remember. Byte strings are views of `payload`.
 *
 * @throws CmcpError `WIRE_FRAME_TOO_LARGE` or what {@link scanProfile} throws.
 */
export function decodeMap(payload: Untrusted<Uint8Array>): WireMap {
  const bytes = examine(payload);
  if (bytes.length > MAX_FRAME_BYTES)
    throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a frame is larger than ${MAX_FRAME_BYTES} bytes`);
  scanProfile(bytes);
  // A view of its own: the decoder leaves a property on the array it is given.
  return decoder.decode(bytes.subarray()) as WireMap;
}

/**
 * Encodes a map in the wire's profile: keys sorted, shortest lengths. A member that is `undefined` is left out.
 *
 * @throws CmcpError `WIRE_MALFORMED`, `WIRE_KEY_FORBIDDEN`, `WIRE_INVALID_UTF8`, `WIRE_TOO_DEEP` for what
 * the profile cannot carry, `WIRE_FRAME_TOO_LARGE`.
 */
export function encodeMap(map: WireMap): Uint8Array {
  const bytes = encoder.encode(sortedMap(map, 1));
  if (bytes.length > MAX_FRAME_BYTES)
    throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a frame would be larger than ${MAX_FRAME_BYTES} bytes`);
  return bytes;
}

type Encodable = number | bigint | string | boolean | null | Uint8Array | readonly Encodable[] | Map<string, Encodable>;

function encodable(value: WireValue, depth: number): Encodable {
  if (typeof value === "string") return wellFormed(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new CmcpError("WIRE_MALFORMED", "a number is not an integer from 0 to 2^53-1");
    // cbor-x writes numbers above 32 bits as floats, and bigints as integers.
    return value > 0xffff_ffff ? BigInt(value) : value + 0;
  }
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return value;
  if (typeof value !== "object") throw new CmcpError("WIRE_MALFORMED", `a value is ${typeof value}`);
  if (depth >= MAX_DEPTH) throw new CmcpError("WIRE_TOO_DEEP", `nested deeper than ${MAX_DEPTH}`);
  if (isArray(value)) return value.map((item) => encodable(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new CmcpError("WIRE_MALFORMED", "an object is not a plain record");
  return sortedMap(value, depth + 1);
}

function isArray(value: readonly WireValue[] | WireMap): value is readonly WireValue[] {
  return Array.isArray(value);
}

function sortedMap(map: WireMap, depth: number): Map<string, Encodable> {
  const sorted = new Map<string, Encodable>();
  for (const key of Object.keys(map).sort(byEncodedKey)) {
    const value = map[key];
    if (value === undefined) continue;
    if (key === "__proto__") throw new CmcpError("WIRE_KEY_FORBIDDEN", "key __proto__");
    sorted.set(wellFormed(key), encodable(value, depth));
  }
  return sorted;
}

function wellFormed(text: string): string {
  if (!text.isWellFormed() || text.startsWith("\ufeff"))
    throw new CmcpError("WIRE_INVALID_UTF8", "text has a lone surrogate or starts with a byte order mark");
  return text;
}

/** RFC 8949 section 4.2.1: for text in shortest form, shorter encoded keys first, then bytewise. */
function byEncodedKey(left: string, right: string): number {
  const length = Buffer.byteLength(left);
  const difference = length - Buffer.byteLength(right);
  if (difference !== 0) return difference;
  // Of equal byte and character counts are ASCII strings, whose bytes are their characters.
  if (left.length === length && right.length === length) return left < right ? -1 : 1;
  return Buffer.from(left, "utf8").compare(Buffer.from(right, "utf8"));
}
