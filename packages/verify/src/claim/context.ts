import type { Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import type { VerifierCrypto } from "../crypto.ts";
import type { Expectations } from "../expectations.ts";

/** The arguments that all checks of a claim share. */
export interface ClaimContext {
  readonly crypto: VerifierCrypto;
  readonly claim: Claim;
  readonly expected: Expectations;
  readonly list: Checklist;
}
