import { claimSigningInput, keyIdOf, subjectOf, type Claim } from "@cmcp/claim/schema";
import { fromBase64Url } from "@cmcp/boundary";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";

/** The claim is signed by the key it names, the key's names follow from it, and it is the pinned one if one is pinned. */
export async function checkSignature(
  crypto: VerifierCrypto,
  claim: Claim,
  expected: Expectations,
  list: Checklist,
): Promise<boolean> {
  const { jwk } = claim.trace.cnf;
  const valid = await verifyEd25519(crypto, jwk.x, claim.signature, claimSigningInput(claim));
  list.require("claim signature", valid, "SIGNATURE_INVALID", {
    passed: "Ed25519 over the canonical claim verifies under its key",
    failed: "the claim was changed or signed by another key",
  });
  const key = fromBase64Url(jwk.x);
  const named = key !== undefined && jwk.kid === keyIdOf(key) && claim.trace.subject === subjectOf(key);
  list.require("key names", named, "SIGNATURE_INVALID", {
    passed: "kid and subject follow from the key",
    failed: "kid or subject belongs to another key",
  });
  if (expected.trustedKey === undefined) list.notPerformed("trusted key", "no key was pinned (--trusted-key)");
  else
    list.require("trusted key", jwk.x === expected.trustedKey, "SIGNATURE_INVALID", {
      passed: "the claim's key is the pinned one",
      failed: "the claim was signed by another key than the pinned one",
    });
  return valid;
}
