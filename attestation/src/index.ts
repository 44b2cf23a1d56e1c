export { attesterOf, type Attester, type AttesterAccess } from "./attester.ts";
export { METADATA_HOST, METADATA_PORT } from "./azure/metadata.ts";
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
export { detectProvider, providerOfImage, type Detection, type Provider, type ProviderSetting } from "./detect.ts";
export type { EvidenceJson } from "./evidence-file/schema.ts";
export { writeEvidenceFile, type EvidenceContext } from "./evidence-file/write.ts";
export type { Evidence, EvidenceParts, Platform, TpmParts } from "./evidence.ts";
export type { BoundLaunch, LaunchCarrier, LaunchDigests } from "./launch-carrier.ts";
export type { ImagePlatform } from "./image-platform.ts";
export { localDerivedKey, readLocalTdReport } from "./local-files.ts";
export { thisMachine, withTpmSocket, type Machine, type TpmLocation } from "./machine.ts";
export { instanceReportData, jwkThumbprint, jwkThumbprintText, sessionReportData } from "./report-data.ts";
export type { Sealing } from "./sealing/available.ts";
export { seal, unseal } from "./sealing/seal.ts";
export { collectSoftware } from "./software/collect.ts";
export { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "./software/constants.ts";
