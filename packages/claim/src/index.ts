export * from "./schema.ts";
export { buildClaim, type ClaimInput } from "./build.ts";
export { claimHash, signClaim, writeClaim, type WrittenClaim } from "./sign.ts";
export { buildTraceRecord, signTraceRecord } from "./trace-record.ts";
