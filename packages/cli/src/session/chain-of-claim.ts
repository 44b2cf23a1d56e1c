import { hash } from "node:crypto";
import { auditBundleSchema, entryHashInput, successorOf, type AuditEntry } from "@cmcp/audit/schema";
import { claimSchema } from "@cmcp/claim/schema";
import type { JsonObject } from "@cmcp/boundary";

/**
 * Whether a claim is of the chain in which a session goes on after operators' resets. The exported entries have the
 * hashes that they say and are the claim's chain. Their resets lead from the session to that of the claim.
 */
export function claimFollows(claim: JsonObject, bundle: JsonObject, session: string): boolean {
  const [said, exported] = [claimSchema.safeParse(claim).data?.gateway, auditBundleSchema.safeParse(bundle).data];
  if (said === undefined || exported === undefined) return false;
  const { entries } = exported;
  // The hash of the last entry is over all before it.
  const isWhole = isChain(entries) && entries.at(-1)?.entry_hash === said.audit_chain.tip;
  return isWhole && lastSuccessor(entries, session) === said.session_id;
}

function isChain(entries: readonly AuditEntry[]): boolean {
  let before = "genesis";
  for (const entry of entries) {
    if (entry.prev_entry_hash !== before || hash("sha256", entryHashInput(entry)) !== entry.entry_hash) return false;
    before = entry.entry_hash;
  }
  return true;
}

/** Where the resets of a session, and of each successor, lead. */
function lastSuccessor(entries: readonly AuditEntry[], session: string): string {
  let last = session;
  for (const entry of entries) if (entry.session_id === last) last = successorOf(entry) ?? last;
  return last;
}
