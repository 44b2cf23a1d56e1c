export type { VerifierCrypto } from "./crypto.ts";
export type { EvidenceRecord } from "./claim/evidence.ts";
export type { ExpectedLaunch, LaunchTerms } from "./claim/launch-terms.ts";
export {
  CLOCK_SKEW_SECONDS,
  type Expectations,
  type ExpectedRevocations,
  type RecordExpectations,
  type SessionTerms,
} from "./expectations.ts";
export type { BundleBytes } from "./bundle/read-bundle.ts";
export type { AgentStanding, LogStanding } from "./verdict.ts";
export { isSignedByInstance } from "./log/instance-key.ts";
export { ShownLog, type LogFiles, type LogTiles } from "./log/shown-log.ts";
export { checkWitnessing, type HeadExpectations, type Witnessing } from "./log/witnessing.ts";
export { opensCommitment, type Opening } from "./disclosure.ts";
export { MAX_BUNDLE_BYTES } from "./parse.ts";
export { verifyReceipt, type VerifiedReceipt } from "./receipt/verify-receipt.ts";
export { AFTER_LOST_STORE, renderChecks, renderVerdict, type ReportLine, type Tone } from "./render.ts";
export {
  OUTCOME_EXIT,
  type Check,
  type CheckStatus,
  type Completeness,
  type Origin,
  type Outcome,
  type Verdict,
} from "./verdict.ts";
export type { ApprovedCall } from "./approved-call.ts";
export type { Conditions, History } from "./session/conditions.ts";
export { verifyBundle, type BundleRecord } from "./verify-bundle.ts";
export { verifyClaim, type ClaimRecord } from "./verify-claim.ts";
export {
  verifyInstance,
  type InstanceExpectations,
  type InstanceRecord,
  type InstanceVerdict,
} from "./instance/verify-instance.ts";
export { verifyIncomplete, type IncompleteRecord } from "./verify-incomplete.ts";
