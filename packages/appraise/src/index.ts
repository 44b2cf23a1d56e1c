export { CheckRecorder, type Check, type CheckStatus } from "./checks/check.ts";
export { sha256, sha256Hex, startSha256, type RunningSha256, type VerifierCrypto } from "./checks/crypto.ts";
export type { EvidenceResult } from "./checks/result.ts";
export {
  instanceBindingInput,
  joinReportData,
  REPORT_DATA_BYTES,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
  type SigningJwk,
} from "./evidence/binding.ts";
export { verifySoftware, type SoftwareStatement, type VerifiedSoftwareReport } from "./software/verify.ts";
export { assuranceOf, type Assurance } from "./appraisal/assurance.ts";
export { earlierEvidencePolicy } from "./appraisal/earlier-evidence.ts";
export { attestationResult } from "./appraisal/ear.ts";
export { isPreset, parseAppraisalPolicy, preset, readAppraisalPolicy } from "./appraisal/load-policy.ts";
export {
  ENFORCEMENT_MODES,
  appraisalPolicySchema,
  type AppraisalPolicy,
  type EnforcementMode,
} from "./appraisal/policy.ts";
export { EVIDENCE_PLATFORMS, type EvidencePlatform } from "./appraisal/requirements.ts";
export { PRESETS, type PresetName } from "./appraisal/presets.ts";
export { startRegisters, type AcceptedImage, type ImageMatcher, type MeasuredRegisters } from "./appraisal/image.ts";
export { completeEvidence, type VendorAnswers } from "./evidence/file/complete.ts";
export { readEvidenceFile, readEvidenceJson, type EvidenceFile } from "./evidence/file/read.ts";
export type { ClaimPlace, EvidenceJson } from "./evidence/file/schema.ts";
export {
  verifyEvidence,
  verifyEvidenceParts,
  type EvidenceExpectations,
  type EvidenceTerms,
} from "./appraisal/verify-evidence.ts";
export type { EvidenceOutcome, EvidenceVerdict, VerifiedEvidence } from "./appraisal/verdict.ts";
export type { EvidenceFiles } from "./appraisal/from-evidence-file.ts";
export { withCertificates, type EndorsedParts, type HardwareParts } from "./evidence/parts.ts";
export {
  EVIDENCE_KINDS,
  describeEvidence,
  type EvidenceDescription,
  type EvidenceKind,
} from "./appraisal/describe-evidence.ts";
export { parseAttestationKey } from "./tpm/public-key.ts";
export { PRODUCTS, type Product } from "./sev-snp/product.ts";
export { vendorRequests, vendorRequestsFor, type VendorRequest } from "./appraisal/vendor-requests.ts";
