import type { Check } from "./check.ts";

/**
 * What verifying one piece of evidence gave. `verified` is set exactly when the bytes are authentic: signature and
 * chain to a pinned anchor hold. Whether the evidence is acceptable is what the checks say, all of them.
 */
export interface EvidenceResult<Verified> {
  readonly verified: Verified | null;
  readonly checks: readonly Check[];
}
