// The type of WebCrypto as Node declares it; nothing of Node is loaded.
import type { webcrypto } from "node:crypto";
import { toHex } from "@cmcp/boundary";

/** The cryptography a verification uses: the platform's WebCrypto or any other of its shape. */
export interface VerifierCrypto {
  readonly subtle: Pick<webcrypto.SubtleCrypto, "digest" | "importKey" | "verify">;
  /** SHA-256 of bytes that come in pieces, which WebCrypto does not have. Without it the pieces are held until the end. */
  readonly startSha256?: () => RunningSha256;
}

/** A SHA-256 that is under way. */
export interface RunningSha256 {
  update(bytes: Uint8Array): void;
  /** The digest, 32 bytes. Nothing is added after it. */
  digest(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
}

/** Begins a SHA-256 of bytes that come in pieces. */
export function startSha256(crypto: VerifierCrypto): RunningSha256 {
  if (crypto.startSha256 !== undefined) return crypto.startSha256();
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    update: (bytes) => {
      pieces.push(bytes.slice());
      length += bytes.length;
    },
    digest: async () => {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      return await sha256(crypto, whole);
    },
  };
}

/** SHA-256, 32 bytes. */
export async function sha256(crypto: VerifierCrypto, bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)));
}

/** SHA-256 as 64 lowercase hex digits. */
export async function sha256Hex(crypto: VerifierCrypto, bytes: Uint8Array): Promise<string> {
  return toHex(await sha256(crypto, bytes));
}
