/** Published vectors: each file of `vectors/` names its source. */
import { readFileSync } from "node:fs";
import { fromHex } from "@cmcp/boundary";
import type { Suite } from "../hpke/suite.ts";
import { X25519 } from "../hpke/x25519.ts";

/** One file of `packages/seal/vectors`. */
export function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8"));
}

/** The bytes of lowercase hex. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new TypeError(`not hex: ${text}`);
  return bytes;
}

/** The suite of the examples of RFC 9458 and of the chunked draft. No configuration of ours names it. */
export const AES_128_SUITE: Suite = { kem: X25519, aeadId: 1, keyBytes: 16 };
