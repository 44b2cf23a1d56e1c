import { createPublicKey } from "node:crypto";
import { fromBase64Url, fromHex, toBase64Url } from "@cmcp/boundary";

const KEY_BYTES = 32;

function fromPem(text: string): string | undefined {
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === "ed25519" ? key.export({ format: "jwk" }).x : undefined;
  } catch {
    // Whatever is wrong with it, it is not a public key in PEM; the caller says so.
    return undefined;
  }
}

/**
 * An Ed25519 public key as base64url of its 32 bytes, from that, hex of them, or PEM (SubjectPublicKeyInfo);
 * `undefined` for anything else.
 */
export function readPublicKey(written: string): string | undefined {
  const text = written.trim();
  if (text.startsWith("-----BEGIN PUBLIC KEY-----")) return fromPem(text);
  const bytes = text.length === KEY_BYTES * 2 ? fromHex(text) : fromBase64Url(text.replace(/=$/, ""));
  return bytes?.length === KEY_BYTES ? toBase64Url(bytes) : undefined;
}
