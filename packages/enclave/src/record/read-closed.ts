import { isAuthentic, publicKeyOf } from "@cmcp/audit";
import { claimSchema, type Claim } from "@cmcp/claim";
import type { Caller } from "../caller.ts";
import type { Core } from "../core.ts";
import { readEntries, readRecord } from "./read-back.ts";
import { isSessionId } from "./session-id.ts";
import type { ClosedSession } from "./sessions.ts";

/**
 * A closed session of this caller and this instance that memory no longer holds, from the host's store; `null` when
 * there is none. What one principal closes cannot push another's claims out of reach.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` when the store's entries are not the chain the claim names
 */
export async function readClosed(core: Core, { principalId }: Caller, sessionId: string): Promise<ClosedSession | null> {
  if (!isSessionId(sessionId)) return null;
  const claim = await latestClaim(core, sessionId);
  if (claim === null) return null;
  const { root, tip, length } = claim.gateway.audit_chain;
  const entries = await readEntries(core, sessionId, { root, tip, length });
  // A host that keeps the last claim back can show one over the session while it was open: that is none of a closed one.
  if (entries.at(-1)?.entry_type !== "session_end" || entries[0]?.detail?.["principal"] !== principalId) return null;
  return { principalId, root, tip, length, claim };
}

/** The last claim of a session that the store holds. Only what this instance signed is believed. */
async function latestClaim(core: Core, sessionId: string): Promise<Claim | null> {
  const own = publicKeyOf(core.key.jwk);
  let latest: Claim | null = null;
  for await (const bytes of core.journal.scan({ instance: core.instance, session: sessionId, kind: "claim" })) {
    const record = readRecord(bytes);
    if (record?.kind !== "claim" || record.body.session_id !== sessionId || !isAuthentic(record, own)) continue;
    const parsed = claimSchema.safeParse(record.body.claim);
    if (parsed.success && parsed.data.gateway.sequence_number > (latest?.gateway.sequence_number ?? 0)) latest = parsed.data;
  }
  return latest;
}
