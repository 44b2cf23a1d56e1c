/** The log's store, for commands that read one beside a gateway or without. */
export type { ArchivingStore } from "./archive.ts";
export { checkLog, type CheckedLog } from "./check-log.ts";
export { exportLog, type ExportedLog, type ExportOptions } from "./export-log.ts";
export { BODY_BYTES, HEADER_BYTES, type IndexedRecord, type LogHead, type ReadableLog } from "./log-store.ts";
export { openExisting, type StoreLocation } from "./open-store.ts";
