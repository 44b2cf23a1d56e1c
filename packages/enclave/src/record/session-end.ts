import { bundleSignature, type AuditEntry, type SessionEnd, type Sign } from "@cmcp/audit";
import type { JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile, type Evidence } from "@cmcp/appraise/evidence";

/** Largest evidence kept with a session's last claim, in characters of JSON: with the largest claim it fits into one record. */
const MAX_KEPT_EVIDENCE = 1024 * 1024;

/** What is kept with the claim of a closed session, so that a later instance, which has another key, can answer with it. */
export async function sessionEnd(entries: readonly AuditEntry[], evidence: Evidence, sign: Sign): Promise<SessionEnd> {
  const file = JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject;
  const kept = JSON.stringify(file).length <= MAX_KEPT_EVIDENCE ? { evidence: file } : {};
  return { bundle_signature: await bundleSignature(entries, sign), ...kept };
}
