import { isAuthentic, publicKeyOf, readRecord, type SessionEnd, type SigningJwk } from "@cmcp/audit";
import { claimSchema, type Claim } from "@cmcp/claim";
import type { Caller } from "../access/caller.ts";
import type { Journal } from "./journal.ts";
import { readRoot, type OwnJournal } from "./read-entries.ts";
import { isSessionId } from "./session-id.ts";
import type { ClosedSession } from "./sessions.ts";

/** The journal of this instance, and the key that signs it. */
export interface SignedOwnJournal extends OwnJournal {
  readonly jwk: SigningJwk;
}

/**
 * Reads a session that this instance closed from the host's store; `null` if the caller has none of that id. Memory holds only the latest
 * closed sessions, so one principal could otherwise push out the claims of another. Of its entries only the first is read.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the stored entries do not begin with the root that the claim names
 */
export async function readClosed(
  own: SignedOwnJournal,
  { principalId }: Caller,
  sessionId: string,
): Promise<ClosedSession | null> {
  if (!isSessionId(sessionId)) return null;
  const latest = await latestClaim(own.journal, own, sessionId);
  // A host that hides the last claim can show an earlier one over the open session. Only the claim of a closed session
  // has what goes with its end.
  if (latest === null || latest.end === null) return null;
  const { claim } = latest;
  const { root, tip, length } = claim.gateway.audit_chain;
  if ((await readRoot(own, sessionId, root)).detail?.["principal"] !== principalId) return null;
  return { principalId, root, tip, length, claim };
}

/** A claim from the store. `end` belongs to the claim of a closed session. */
export interface StoredClaim {
  readonly claim: Claim;
  readonly end: SessionEnd | null;
}

/** The last claim of a session in the store that the writing instance signed. */
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
