export { CheckRecorder, type Check, type CheckStatus } from "./appraisal/check.ts";
export type { VerifierCrypto } from "./appraisal/crypto.ts";
export type { EvidenceResult } from "./appraisal/result.ts";
export {
  instanceBindingInput,
  joinReportData,
  REPORT_DATA_BYTES,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
  type SigningJwk,
} from "./binding.ts";
export { verifySoftware, type SoftwareStatement, type VerifiedSoftwareReport } from "./software/verify.ts";
export { assuranceOf, type Assurance } from "./appraisal/assurance.ts";
export { policyForEarlier } from "./appraisal/earlier.ts";
export { attestationResult } from "./appraisal/ear.ts";
export { isPreset, parseAppraisalPolicy, preset } from "./appraisal/load-policy.ts";
export {
  ENFORCEMENT_MODES,
  EVIDENCE_PLATFORMS,
  appraisalPolicySchema,
  type AppraisalPolicy,
  type EnforcementMode,
  type EvidencePlatform,
} from "./appraisal/policy.ts";
export { PRESETS, type PresetName } from "./appraisal/presets.ts";
export type { AcceptedImage, ImageMatcher, MeasuredRegisters } from "./appraisal/image.ts";
export { completeEvidence, type VendorAnswers } from "./evidence-file/complete.ts";
export { readEvidenceFile, readEvidenceJson, type EvidenceFile } from "./evidence-file/read.ts";
export type { EvidenceJson } from "./evidence-file/schema.ts";
export {
  verifyEvidence,
  verifyEvidenceParts,
  type EvidenceExpectations,
  type EvidenceFiles,
  type EvidenceOutcome,
  type EvidenceTerms,
  type EvidenceVerdict,
  type VerifiedEvidence,
} from "./appraisal/verify-evidence.ts";
export { withCertificates, type EndorsedParts, type HardwareParts } from "./appraisal/parts.ts";
export { SHOWN_KINDS, showEvidence, type Shown, type ShownKind } from "./appraisal/show.ts";
export { PRODUCTS, type Product } from "./sev-snp/product.ts";
export { vendorRequests, vendorRequestsFor, type VendorRequest } from "./appraisal/vendor-requests.ts";
