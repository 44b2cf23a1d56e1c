import type { VerifierCrypto } from "../checks/crypto.ts";

/** SEC 1 section 2.3.3: the point follows uncompressed. */
const UNCOMPRESSED = 0x04;

/** A P-256 public key: SubjectPublicKeyInfo, or x ‖ y of 64 bytes. */
export type P256Key = { readonly spki: Uint8Array } | { readonly point: Uint8Array };

/**
 * Verifies an ECDSA P-256 signature over SHA-256 of a message. False for anything that is no such key; never throws.
 *
 * @param signature r ‖ s, 64 bytes, big endian.
 */
export async function verifyP256(
  crypto: VerifierCrypto,
  key: P256Key,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  try {
    const bytes = "spki" in key ? Uint8Array.from(key.spki) : Uint8Array.of(UNCOMPRESSED, ...key.point);
    const imported = await crypto.subtle.importKey(
      "spki" in key ? "spki" : "raw",
      bytes,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["verify"],
    );
    return await crypto.subtle.verify(
      { name: "ECDSA", hash: "SHA-256" },
      imported,
      Uint8Array.from(signature),
      Uint8Array.from(message),
    );
  } catch {
    // WebCrypto throws for a point off the curve and a key of another kind; nothing verifies under those.
    return false;
  }
}
