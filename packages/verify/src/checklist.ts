import { CheckRecorder } from "@cmcp/appraise";
import type { ErrorCode } from "@cmcp/boundary";
import type { Outcome } from "./verdict.ts";

/** A file that cannot be read says nothing, for or against: it may have been cut short on its way. */
const MALFORMED: readonly ErrorCode[] = [
  "CLAIM_MALFORMED",
  "BUNDLE_MALFORMED",
  "RECEIPT_MALFORMED",
  "DISCLOSURE_MALFORMED",
  "EVIDENCE_MALFORMED",
  "LOG_EXPORT_MALFORMED",
  "NOTE_MALFORMED",
  "AGENT_MANIFEST_MALFORMED",
];

/** The checks of one verification and the outcome they add up to. */
export class Checklist extends CheckRecorder {
  /**
   * The outcome the checks so far add up to: malformed before rejected before unsupported, because what is
   * found false here stays false for a verifier that knows the platform.
   */
  outcome(): Outcome {
    const codes = this.checks.flatMap(({ status, code }) => (status === "failed" && code !== undefined ? [code] : []));
    if (codes.some((code) => MALFORMED.includes(code))) return "malformed";
    if (codes.some((code) => code !== "UNSUPPORTED_PROVIDER")) return "rejected";
    return codes.length > 0 ? "unsupported" : "accepted";
  }
}
