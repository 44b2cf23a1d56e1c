/** Bytes of an integer of P-256. */
const INTEGER_BYTES = 32;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Reads the DER form that authenticators give (RFC 3279 section 2.2.3) into the one that WebCrypto takes: two integers of 32 bytes.
 * @returns `null` for anything but the shortest encoding of two positive integers
 */
export function rawSignature(der: Uint8Array): Uint8Array | null {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2 || der.length > 127) return null;
  const first = integerAt(der, 2);
  if (first === null) return null;
  const second = integerAt(der, first.end);
  if (second?.end !== der.length) return null;
  const raw = new Uint8Array(2 * INTEGER_BYTES);
  raw.set(first.value, INTEGER_BYTES - first.value.length);
  raw.set(second.value, 2 * INTEGER_BYTES - second.value.length);
  return raw;
}

function integerAt(der: Uint8Array, at: number): { readonly value: Uint8Array; readonly end: number } | null {
  const [tag, length = 0] = [der[at], der[at + 1]];
  const end = at + 2 + length;
  if (tag !== INTEGER || length === 0 || end > der.length) return null;
  const [first = 0, next = 0] = [der[at + 2], der[at + 3]];
  // Negative, or with a zero in front that no sign needs.
  if (first >= 0x80 || (first === 0 && (length === 1 || next < 0x80))) return null;
  const value = der.slice(first === 0 ? at + 3 : at + 2, end);
  return value.length > INTEGER_BYTES ? null : { value, end };
}
