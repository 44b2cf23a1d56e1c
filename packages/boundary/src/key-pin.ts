import { fromBase64 } from "./encoding.ts";

const FORM = /^SHA256:([A-Za-z0-9+/]{43})=?$/;

/**
 * Reads the pin of a key, as catalogs and configurations write it: `SHA256:` and canonical base64 of the SHA-256 of a SubjectPublicKeyInfo, padded
 * or not.
 * @returns the 32 bytes; `undefined` for any other text
 */
export function readKeyPin(text: string): Uint8Array<ArrayBuffer> | undefined {
  const [, base64] = FORM.exec(text) ?? [];
  return base64 === undefined ? undefined : fromBase64(`${base64}=`);
}
