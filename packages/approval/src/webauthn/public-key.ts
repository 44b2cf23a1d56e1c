import { fromHex } from "@cmcp/boundary";

/** SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480), up to the point. */
const P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
/** The same of Ed25519 (RFC 8410). */
const ED25519 = "302a300506032b6570032100";

/** The key of a passkey, as WebCrypto imports it raw. */
export interface PasskeyKey {
  readonly algorithm: "ES256" | "EdDSA";
  /** 65 bytes of P-256, or 32 of Ed25519. */
  readonly raw: Uint8Array;
}

/** Reads SubjectPublicKeyInfo of the two algorithms. @returns `null` for any other */
export function readPublicKey(spki: Uint8Array): PasskeyKey | null {
  const [p256, ed25519] = [afterPrefix(spki, P256), afterPrefix(spki, ED25519)];
  if (p256?.length === 65 && p256[0] === 4) return { algorithm: "ES256", raw: p256 };
  return ed25519?.length === 32 ? { algorithm: "EdDSA", raw: ed25519 } : null;
}

function afterPrefix(spki: Uint8Array, hex: string): Uint8Array | null {
  const prefix = fromHex(hex) ?? new Uint8Array();
  return prefix.every((byte, index) => spki[index] === byte) ? spki.slice(prefix.length) : null;
}
