import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";
import { auditEntrySchema, type AuditEntry } from "./entry.ts";

/** Most entries of one session. */
export const MAX_BUNDLE_ENTRIES = 50_000;

/** A whole session's entries, exported: `GET /audit/export`. */
export const auditBundleSchema = z.strictObject({
  session_id: z.uuid(),
  entries: z.array(auditEntrySchema).min(1).max(MAX_BUNDLE_ENTRIES),
  /** Ed25519 over the SHA-256 of the canonical entries array; base64url without padding. */
  bundle_signature: z.string().max(128),
});
/** A whole session's entries, exported. */
export type AuditBundle = z.infer<typeof auditBundleSchema>;

/** The bytes whose SHA-256 the bundle signature is made over: the canonical JSON of the entries array. */
export function bundleHashInput(entries: readonly AuditEntry[]): Uint8Array<ArrayBuffer> {
  return canonicalBytes(entries);
}
