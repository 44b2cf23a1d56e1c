import { CmcpError } from "@cmcp/boundary";
import { latin1, concatBytes, EMPTY, uint16 } from "../bytes.ts";
import { hmacSha256 } from "../platform.ts";

/** Bytes of a hash of SHA-256. */
export const HASH_BYTES = 32;
/** Most bytes of one expansion (RFC 5869 section 2.3). */
export const MAX_EXPANDED_BYTES = 255 * HASH_BYTES;
/** RFC 9180 section 4. */
const VERSION = latin1("HPKE-v1");

/** HKDF-Extract (RFC 5869 section 2.2) with SHA-256: 32 bytes. */
export function extract(salt: Uint8Array, ...ikm: readonly Uint8Array[]): Uint8Array {
  return hmacSha256(salt, ...ikm);
}

/** HKDF-Expand (RFC 5869 section 2.3) with SHA-256. @throws CmcpError `USAGE` above {@link MAX_EXPANDED_BYTES} */
export function expand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length > MAX_EXPANDED_BYTES)
    throw new CmcpError("USAGE", `${length} bytes were asked of HKDF, which gives at most ${MAX_EXPANDED_BYTES}`);
  let block = EMPTY;
  let whole = EMPTY;
  for (let number = 1; whole.length < length; number += 1) {
    block = hmacSha256(prk, block, info, Uint8Array.of(number));
    whole = concatBytes(whole, block);
  }
  return whole.subarray(0, length);
}

/** HKDF (RFC 5869) with SHA-256, without salt. @throws CmcpError `USAGE` above {@link MAX_EXPANDED_BYTES} */
export function hkdfSha256(key: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return expand(extract(EMPTY, key), info, length);
}

/** Extraction and expansion under the name of a suite (RFC 9180 section 4). */
export class LabeledHkdf {
  readonly #suite: Uint8Array;

  /** @param suite `suite_id` */
  constructor(suite: Uint8Array) {
    this.#suite = suite;
  }

  /** `LabeledExtract`: 32 bytes. */
  extract(salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
    return extract(salt, VERSION, this.#suite, latin1(label), ikm);
  }

  /** `LabeledExpand`. @throws CmcpError `USAGE` above {@link MAX_EXPANDED_BYTES} */
  expand(prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array {
    return expand(prk, concatBytes(uint16(length), VERSION, this.#suite, latin1(label), info), length);
  }
}
