export { attesterOf, type Attester, type AttesterAccess } from "./attester/attester.ts";
export { METADATA_HOST, METADATA_PORT } from "./azure/metadata.ts";
export {
  detectProvider,
  providerOfImage,
  type Detection,
  type Provider,
  type ProviderSetting,
} from "./machine/detect.ts";
export type { BoundLaunch, LaunchCarrier, LaunchDigests } from "./machine/launch-carrier.ts";
export type { ImagePlatform } from "./machine/image-platform.ts";
export { localDerivedKey, readLocalTdReport } from "./attester/local-files.ts";
export { thisMachine, withTpmSocket, type Machine, type TpmLocation } from "./machine/machine.ts";
export {
  instanceReportData,
  reportDataOf,
  jwkThumbprint,
  jwkThumbprintText,
  sessionReportData,
} from "./attester/report-data.ts";
export type { Sealing } from "./sealing/sealing.ts";
export { seal, unseal } from "./sealing/seal.ts";
export { collectSoftware } from "./software/collect.ts";
