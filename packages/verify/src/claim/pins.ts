import type { Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { CLOCK_SKEW_SECONDS, type Expectations } from "../expectations.ts";

/** Profile, policy and catalog are the expected ones. */
export function checkPins(claim: Claim, expected: Expectations, list: Checklist): void {
  const { trace, gateway } = claim;
  list.require("profile", trace.eat_profile === expected.eatProfile, "CLAIM_MALFORMED", {
    passed: trace.eat_profile,
    failed: `the claim's profile is ${trace.eat_profile}, expected ${expected.eatProfile}`,
  });
  if (expected.policyHash === undefined) list.notPerformed("policy hash", "no policy hash was pinned (--policy-hash)");
  else
    list.require("policy hash", trace.policy.bundle_hash === expected.policyHash, "POLICY_HASH_MISMATCH", {
      passed: "the pinned policy was in force",
      failed: `another policy was in force: ${trace.policy.bundle_hash}`,
    });
  if (expected.catalogHash === undefined)
    list.notPerformed("catalog hash", "no catalog hash was pinned (--catalog-hash)");
  else
    list.require("catalog hash", gateway.catalog.hash === expected.catalogHash, "CATALOG_HASH_MISMATCH", {
      passed: "the pinned catalog was in force",
      failed: `another catalog was in force: ${gateway.catalog.hash}`,
    });
}

/** Issue time and attestation age at an explicit time. Both times are the host's word; only a nonce gives freshness. */
export function checkAge(claim: Claim, expected: Expectations, list: Checklist): void {
  const now = expected.now.getTime() / 1000;
  const { iat } = claim.trace;
  list.require("issue time", iat <= now + CLOCK_SKEW_SECONDS, "ATTESTATION_STALE", {
    passed: "not in the future",
    failed: "the claim is from the future",
  });
  if (expected.maxAgeSeconds === undefined) list.notPerformed("age", "no maximum age was given (--max-age)");
  else
    list.require("age", now - iat <= expected.maxAgeSeconds, "ATTESTATION_STALE", {
      passed: `${Math.max(0, Math.round(now - iat))} s old`,
      failed: `${Math.round(now - iat)} s old, at most ${expected.maxAgeSeconds} s are accepted`,
    });
  list.require("attestation freshness", !claim.gateway.attestation_stale, "ATTESTATION_STALE", {
    passed: "the report was fresh when the claim was made",
    failed: "the claim says its report was stale",
  });
}
