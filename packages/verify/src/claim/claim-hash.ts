import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { canonicalBytes } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim/schema";

/** `sha256:` and hex of a signed claim's canonical JSON. */
export async function claimHashOf(crypto: VerifierCrypto, claim: Claim): Promise<string> {
  return `sha256:${await sha256Hex(crypto, canonicalBytes(claim))}`;
}
