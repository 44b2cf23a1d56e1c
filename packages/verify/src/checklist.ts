import { CheckRecorder } from "@cmcp/attestation/verify";
import type { Outcome } from "./verdict.ts";

/** The checks of one verification and the outcome they add up to. */
export class Checklist extends CheckRecorder {
  /**
   * The outcome the checks so far add up to: malformed before rejected before unsupported, because what is
   * found false here stays false for a verifier that knows the platform.
   */
  outcome(): Outcome {
    const codes = this.checks.flatMap(({ status, code }) => (status === "failed" && code !== undefined ? [code] : []));
    if (codes.some((code) => code === "CLAIM_MALFORMED" || code === "BUNDLE_MALFORMED")) return "malformed";
    if (codes.some((code) => code !== "UNSUPPORTED_PROVIDER")) return "rejected";
    return codes.length > 0 ? "unsupported" : "accepted";
  }
}
