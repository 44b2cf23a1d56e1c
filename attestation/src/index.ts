export { instanceBindingInput, joinReportData, REPORT_DATA_BYTES, sessionBindingInput, thumbprintInput, type InstanceBinding, type SigningJwk } from "./binding.ts";
export { detectProvider, type Detection, type Provider, type ProviderSetting } from "./detect.ts";
export type { Evidence, Platform } from "./evidence.ts";
export { instanceReportData, jwkThumbprint, jwkThumbprintText, sessionReportData } from "./report-data.ts";
export { collectSoftware } from "./software/collect.ts";
export { SOFTWARE_FIRMWARE, SOFTWARE_MEASUREMENT } from "./software/constants.ts";
export { thisMachine, type Machine } from "./machine.ts";
