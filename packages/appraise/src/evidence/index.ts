/** What attester and verifier of evidence share: its parts, its formats, and the position of each value in it. */
export { parseHclReport, type HclReport } from "../azure/hcl-report.ts";
export { BANKS, type Bank } from "../event-log/hash-algorithm.ts";
export { MAX_LOG_BYTES } from "../event-log/parse.ts";
export { parseCertificateTable, type CertificateKind } from "../sev-snp/certificate-table.ts";
export { productOfCpuid } from "../sev-snp/product.ts";
export { parseSnpReport, REPORT_BYTES, type SnpReportFields } from "../sev-snp/report.ts";
export { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "../software/constants.ts";
export { parseTdxQuote } from "../tdx/quote.ts";
export { REGISTER_BYTES } from "../tdx/td-report.ts";
export { LAUNCH_REGISTER, launchExtensions, launchRegisterValue } from "../tpm/launch-register.ts";
export { QUOTED_REGISTERS } from "../tpm/quoted-registers.ts";
export { DerReader, TAG } from "../x509/der.ts";
export type { VerifierCrypto } from "../checks/crypto.ts";
export {
  instanceBindingInput,
  joinReportData,
  REPORT_DATA_BYTES,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
  type SigningJwk,
} from "./binding.ts";
export { claimEvidence, type ClaimEvidence } from "./claim-evidence.ts";
export type { Evidence, EvidenceParts, Platform, Quote, TpmParts } from "./evidence.ts";
export type { ClaimPlace, EvidenceJson } from "./file/schema.ts";
export { writeEvidenceFile, type EvidenceContext } from "./file/write.ts";
