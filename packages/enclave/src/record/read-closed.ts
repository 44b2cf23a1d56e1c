import { isAuthentic, publicKeyOf, readRecord, type SessionEnd, type SigningJwk } from "@cmcp/audit";
import { claimSchema, type Claim } from "@cmcp/claim";
import type { Caller } from "../access/caller.ts";
import type { Journal } from "./journal.ts";
import { readEntries, type OwnJournal } from "./read-entries.ts";
import { isSessionId } from "./session-id.ts";
import type { ClosedSession } from "./sessions.ts";

/** Where an instance reads its own records back, and the key that signed them. */
export interface SignedOwnJournal extends OwnJournal {
  readonly jwk: SigningJwk;
}

/**
 * A closed session of this caller and this instance that memory no longer holds, from the host's store; `null` when
 * there is none. What one principal closes cannot push another's claims out of reach.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` when the store's entries are not the chain the claim names
 */
export async function readClosed(
  own: SignedOwnJournal,
  { principalId }: Caller,
  sessionId: string,
): Promise<ClosedSession | null> {
  if (!isSessionId(sessionId)) return null;
  const latest = await latestClaim(own.journal, own, sessionId);
  if (latest === null) return null;
  const { claim } = latest;
  const { root, tip, length } = claim.gateway.audit_chain;
  const entries = await readEntries(own, sessionId, { root, tip, length });
  // A host that keeps the last claim back can show one over the session while it was open: that is none of a closed one.
  if (entries.at(-1)?.entry_type !== "session_end" || entries[0]?.detail?.["principal"] !== principalId) return null;
  return { principalId, root, tip, length, claim };
}

/** A claim from the store, and what goes with that of a closed session. */
export interface StoredClaim {
  readonly claim: Claim;
  readonly end: SessionEnd | null;
}

/** The last claim of an instance's session that the store holds. Only what the instance signed is believed. */
export async function latestClaim(
  journal: Pick<Journal, "scan">,
  writer: { readonly instance: string; readonly jwk: SigningJwk },
  sessionId: string,
): Promise<StoredClaim | null> {
  const key = publicKeyOf(writer.jwk);
  let latest: StoredClaim | null = null;
  for await (const bytes of journal.scan({ instance: writer.instance, session: sessionId, kind: "claim" })) {
    const record = readRecord(bytes);
    if (record?.kind !== "claim" || record.body.session_id !== sessionId || !isAuthentic(record, key)) continue;
    const parsed = claimSchema.safeParse(record.body.claim);
    if (!parsed.success || parsed.data.gateway.sequence_number <= (latest?.claim.gateway.sequence_number ?? 0))
      continue;
    latest = { claim: parsed.data, end: record.body.end ?? null };
  }
  return latest;
}
