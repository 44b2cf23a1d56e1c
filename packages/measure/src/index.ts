export type { HashAlgorithm } from "./bytes/digest.ts";
export type { DigestPair } from "./boot/event.ts";
export {
  kernelProgram,
  kernelVariants,
  ukiVariants,
  type BootVariants,
  type KernelFiles,
  type KernelProgram,
} from "./boot/variants.ts";
export { MAX_FIRMWARE } from "./firmware/firmware.ts";
export { digestInput, MAX_INITRD, readInput, type FileDigest } from "./input/file.ts";
export {
  acceptedLaunch,
  MEASUREMENTS_FORMAT,
  measurementsSchema,
  parseMeasurements,
  type AcceptedLaunch,
  type MeasuredPlatform,
  type Measurements,
} from "./measurements.ts";
export { otherParts, type OtherPart } from "./other-parts.ts";
export { MAX_PE } from "./pe/image.ts";
export type { Prediction, RegisterPrediction, RegisterValue } from "./prediction.ts";
export { cpuSignature, cpuTypeSignature, CPU_TYPE_NAMES } from "./sev-snp/cpu-signature.ts";
export { idAuthentication, idBlockBytes, keyDigest, type IdBlock } from "./sev-snp/id-block.ts";
export { snpFirmwareDigest, snpLaunchDigest, snpProcessorPages, type SnpLaunch } from "./sev-snp/launch-digest.ts";
export { svsmLaunchDigest, svsmProcessorPage, type SvsmLaunch } from "./sev-snp/svsm.ts";
export { VMM_TYPES, type VmmType } from "./sev-snp/vmsa.ts";
export { predictTdx, type TdxMachine } from "./tdx/predict.ts";
export { LAUNCH_REGISTER, launchRegister } from "./tpm/launch-register.ts";
export { predictPcrs } from "./tpm/predict.ts";
export { measureImage, type ImageInputs, type SevSnpShapes } from "./measure-image.ts";
export { writeMeasurements } from "./write-measurements.ts";
