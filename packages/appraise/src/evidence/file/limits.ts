import type { JsonLimits } from "@cmcp/boundary";

/** A launch document of 16 MiB in base64, and what else there is. */
export const EVIDENCE_FILE_LIMITS: JsonLimits = { maxBytes: 32 * 1024 * 1024, maxDepth: 12, maxItems: 50_000 };
/** Most certificates, and most files of collateral. */
export const MAX_FILES = 16;
/** Largest report, quote, certificate, log or file of collateral, in characters of base64. */
export const MAX_PART = 3 * 1024 * 1024;
/** Most hashes of an inclusion path, and characters of a log's note, as in receipts. */
export const MAX_LOG_PATH = 48;
export const MAX_LOG_NOTE = 4096;
/** Largest launch document, in characters of base64. */
export const MAX_LAUNCH_DOCUMENT_PART = 24 * 1024 * 1024;
