// The type of WebCrypto as Node declares it; nothing of Node is loaded.
import type { webcrypto } from "node:crypto";

/** The cryptography a verification uses: the platform's WebCrypto or any other of its shape. */
export interface VerifierCrypto {
  readonly subtle: Pick<webcrypto.SubtleCrypto, "digest" | "importKey" | "verify">;
}
