import { canonicalBytes } from "@cmcp/boundary";
import type { UnsignedClaim } from "./claim.ts";

/** The bytes a claim's signature is made over: the canonical JSON of everything but the signature. */
export function claimSigningInput(claim: UnsignedClaim & { signature?: string }): Uint8Array<ArrayBuffer> {
  const { signature: _, ...body } = claim;
  return canonicalBytes(body);
}
