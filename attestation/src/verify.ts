export { CheckRecorder, type Check, type CheckStatus } from "./appraisal/check.ts";
export type { VerifierCrypto } from "./appraisal/crypto.ts";
export type { EvidenceResult } from "./appraisal/result.ts";
export { instanceBindingInput, joinReportData, REPORT_DATA_BYTES, sessionBindingInput, thumbprintInput, type InstanceBinding, type SigningJwk } from "./binding.ts";
export { verifySoftware, type SoftwareStatement, type VerifiedSoftwareReport } from "./software/verify.ts";
