export { instanceBindingInput, joinReportData, REPORT_DATA_BYTES, sessionBindingInput, thumbprintInput, type InstanceBinding, type SigningJwk } from "./binding.ts";
export { verifySoftware, type SoftwareStatement, type VerifiedSoftwareReport } from "./software/verify.ts";
