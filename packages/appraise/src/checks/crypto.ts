// The type of WebCrypto as Node declares it; nothing of Node is loaded.
import type { webcrypto } from "node:crypto";
import { toHex } from "@cmcp/boundary";

/** The cryptography a verification uses: the platform's WebCrypto or any other of its shape. */
export interface VerifierCrypto {
  readonly subtle: Pick<webcrypto.SubtleCrypto, "digest" | "importKey" | "verify">;
}

/** SHA-256, 32 bytes. */
export async function sha256(crypto: VerifierCrypto, bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)));
}

/** SHA-256 as 64 lowercase hex digits. */
export async function sha256Hex(crypto: VerifierCrypto, bytes: Uint8Array): Promise<string> {
  return toHex(await sha256(crypto, bytes));
}
