import type { VerifierCrypto } from "@cmcp/appraise";
import { fromBase64Url, toHex } from "@cmcp/boundary";

export type { VerifierCrypto } from "@cmcp/appraise";

/** Order of Ed25519's group (RFC 8032 section 5.1). */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/**
 * Whether a text can be a signature under any key at all: base64url of 64 bytes, the second half below the group's
 * order (RFC 8032 section 5.1.7).
 */
export function canBeEd25519(signature: string): boolean {
  const bytes = fromBase64Url(signature);
  return bytes?.length === 64 && BigInt(`0x${toHex(bytes.slice(32).toReversed())}`) < ORDER;
}

/** Checks an Ed25519 signature (RFC 8032). Key and signature are unpadded base64url; anything ill-formed does not verify. */
export async function verifyEd25519(
  crypto: VerifierCrypto,
  publicKey: string,
  signature: string,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const key = fromBase64Url(publicKey);
  const bytes = fromBase64Url(signature);
  if (key?.length !== 32 || bytes?.length !== 64) return false;
  try {
    return await crypto.subtle.verify(
      "Ed25519",
      await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]),
      bytes,
      message,
    );
  } catch {
    // A point that is not on the curve is refused by some platforms at import: no signature verifies under it.
    return false;
  }
}
