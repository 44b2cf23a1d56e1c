import { fromHex } from "@cmcp/boundary";
import { fromBase64 } from "../bytes/base64.ts";

/** A sequence whose length has one or two bytes of its own, as every certificate and list is: in hex, and in base64. */
const HEX = /^(?:0x)?(308[12][0-9a-fA-F]+)$/;
const BASE64 = /^MI[A-Za-z0-9+/]+={0,2}$/;
/** Their first characters, so that other bytes are not read as text first. */
const FIRST: readonly (number | undefined)[] = [0x33, 0x4d];
/**
 * Hex with a prefix begins with 0x, which in DER is a sequence of 120 bytes. Of a certificate or list another
 * sequence's 0x30 would follow, and no 3.
 */
const PREFIXED: readonly number[] = [0x30, 0x78, 0x33];

/**
 * The bytes of a certificate or revocation list that was written as hex, with 0x before it or without, or as base64 without PEM's
 * lines around it; `null` for anything else, DER among it. Throws `EVIDENCE_MALFORMED` for base64 that ends amiss.
 */
export function derOfText(file: Uint8Array, maxBytes: number): Uint8Array | null {
  // Hex takes two characters a byte; a line break may follow each few.
  if (file.length > 3 * maxBytes || !mayBeText(file)) return null;
  const text = new TextDecoder("latin1").decode(file).replaceAll(/\s/g, "");
  const hex = HEX.exec(text)?.[1];
  if (hex !== undefined) return fromHex(hex) ?? null;
  return BASE64.test(text) ? fromBase64(text, "a certificate or list") : null;
}

function mayBeText(file: Uint8Array): boolean {
  const start = file.findIndex((byte) => byte > 0x20);
  return FIRST.includes(file[start]) || PREFIXED.every((byte, index) => file[start + index] === byte);
}
