import { fromHex } from "@cmcp/boundary";
import { fromBase64 } from "../tpm/forms/base64.ts";

/** A sequence whose length has one or two bytes of its own, as every certificate and list is: in hex, and in base64. */
const HEX = /^308[12][0-9a-fA-F]+$/;
const BASE64 = /^MI[A-Za-z0-9+/]+={0,2}$/;
/** Their first characters. DER itself begins with another byte, so that it is not read as text first. */
const FIRST: readonly (number | undefined)[] = [0x33, 0x4d];

/**
 * The bytes of a certificate or revocation list that was written as hex or base64 without PEM's lines around it; `null`
 * for anything else. Throws `EVIDENCE_MALFORMED` for base64 that ends amiss.
 */
export function derOfText(file: Uint8Array, maxBytes: number): Uint8Array | null {
  // Hex takes two characters a byte; a line break may follow each few.
  if (file.length > 3 * maxBytes || !FIRST.includes(file.find((byte) => byte > 0x20))) return null;
  const text = new TextDecoder("latin1").decode(file).replaceAll(/\s/g, "");
  if (HEX.test(text)) return fromHex(text) ?? null;
  return BASE64.test(text) ? fromBase64(text, "a certificate or list") : null;
}
