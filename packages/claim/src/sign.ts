import { createHash } from "node:crypto";
import { canonicalBytes, toBase64Url } from "@cmcp/boundary";
import type { Claim, UnsignedClaim } from "./claim.ts";
import { claimSigningInput } from "./signing-input.ts";

/** The signed claim. @param sign Ed25519 with the key in the claim's `cnf`; returns 64 bytes. */
export function signClaim(claim: UnsignedClaim, sign: (bytes: Uint8Array) => Uint8Array): Claim {
  return { ...claim, signature: toBase64Url(sign(claimSigningInput(claim))) };
}

/** What the next claim's `prev_claim_hash` says of this one: `sha256:` and hex, over the whole signed claim's canonical JSON. */
export function claimHash(claim: Claim): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(claim)).digest("hex")}`;
}
