export {
  CLAIM_META_KEY,
  claimSchema,
  CMCP_VERSION,
  EAT_PROFILES,
  type Claim,
  type CallSummary,
  type ClaimJwk,
  type EatProfile,
  type UnsignedClaim,
} from "./claim.ts";
export { claimSigningInput } from "./signing-input.ts";
export { firmwareText, parseFirmwareText, type DeploymentMode } from "./firmware-text.ts";
export { instanceReportSchema, type ReceivedInstanceReport } from "./instance-report.ts";
export { keyIdOf, subjectOf } from "./key-names.ts";
export {
  MODEL_NOT_ASSERTED,
  NO_SELF_APPRAISAL,
  TRACE_RECORD_PROFILE,
  traceRecordSchema,
  traceRecordSigningInput,
  type TraceRecord,
  type UnsignedTraceRecord,
} from "./trace-record.ts";
export { CallSummaryBuilder, claimDecision, type CallFacts, type TranscriptEntry } from "./transcript.ts";
