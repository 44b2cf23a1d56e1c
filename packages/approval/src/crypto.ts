import { toHex } from "@cmcp/boundary";
import type { webcrypto } from "node:crypto";

/** What verifying takes of WebCrypto: Node and browsers have it. */
export interface ApprovalCrypto {
  readonly subtle: Pick<webcrypto.SubtleCrypto, "digest" | "importKey" | "verify">;
}

/** SHA-256. */
export async function sha256({ subtle }: ApprovalCrypto, message: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await subtle.digest("SHA-256", new Uint8Array(message)));
}

/** `sha256:` and hex. */
export async function digestOf(crypto: ApprovalCrypto, message: Uint8Array): Promise<string> {
  return `sha256:${toHex(await sha256(crypto, message))}`;
}

/** Whether an Ed25519 key signed a message (RFC 8032). A key that no platform takes has signed nothing. */
export async function verifiesEd25519(
  { subtle }: ApprovalCrypto,
  key: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  try {
    const imported = await subtle.importKey("raw", new Uint8Array(key), "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", imported, new Uint8Array(signature), new Uint8Array(message));
  } catch {
    // Some platforms refuse a point that is not on the curve when it is imported.
    return false;
  }
}
