import { CmcpError, examine, type Untrusted } from "@cmcp/boundary";
// The build without code generation is also the one without the native addon.
import { Decoder, type Options } from "cbor-x/index-no-eval";
import { encodeWithLength } from "./encode.ts";
import { LENGTH_PREFIX_BYTES, MAX_FRAME_BYTES } from "./limits.ts";
import { scanProfile } from "./scan.ts";

/** What the wire's CBOR profile can carry. Numbers are integers from 0 to 2^53-1. */
export type WireValue = number | string | boolean | null | Uint8Array | readonly WireValue[] | WireMap;
/** A CBOR map with text keys. */
export interface WireMap {
  readonly [key: string]: WireValue | undefined;
}

// cbor-x reads `int64AsNumber`, but its types lack it.
const decoderOptions: Options & { int64AsNumber: true } = { useRecords: false, mapsAsObjects: true, int64AsNumber: true };
const decoder = new Decoder(decoderOptions);

/**
 * Decodes one frame's CBOR map. The bytes pass {@link scanProfile} first, so the decoder never sees a
 * tag and has nothing to remember. Byte strings are views of `payload`.
 *
 * @throws CmcpError `WIRE_FRAME_TOO_LARGE` or what {@link scanProfile} throws.
 */
export function decodeMap(payload: Untrusted<Uint8Array>): WireMap {
  const bytes = examine(payload);
  if (bytes.length > MAX_FRAME_BYTES) throw new CmcpError("WIRE_FRAME_TOO_LARGE", `a frame is larger than ${MAX_FRAME_BYTES} bytes`);
  scanProfile(bytes);
  // A view of its own: the decoder leaves a property on the array it is given.
  return decoder.decode(bytes.subarray()) as WireMap;
}

/** Encodes a map in the wire's profile. @throws CmcpError as {@link encodeWithLength} does */
export function encodeMap(map: WireMap): Uint8Array {
  return encodeWithLength(map).subarray(LENGTH_PREFIX_BYTES);
}
