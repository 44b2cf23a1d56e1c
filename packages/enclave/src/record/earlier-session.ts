import { receiptIn, recover, type AuditEntry, type JournalRecord, type Receipt, type SigningJwk } from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import type { Untrusted } from "@cmcp/boundary";
import type { Core } from "../boot/core.ts";
import type { Caller } from "../access/caller.ts";
import { isChain, readRecord } from "./read-back.ts";
import { latestClaim, type StoredClaim } from "./read-closed.ts";
import { isSessionId } from "./session-id.ts";

/** What verifies of a session of an instance before this one, under that instance's key. */
export interface EarlierSession {
  readonly signingKey: SigningJwk;
  readonly entries: readonly AuditEntry[];
  readonly receipts: readonly Receipt[];
  /** The claim it was closed with; `null` for a session that was interrupted. */
  readonly closed: StoredClaim | null;
}

/** An earlier instance's session of this caller, or `null`. Only what verifies is returned. */
export async function readEarlier(core: Core, caller: Caller, sessionId: string): Promise<EarlierSession | null> {
  if (!isSessionId(sessionId)) return null;
  const instance = await writerOf(core, sessionId);
  if (instance === null || instance === core.instance) return null;
  const records: Untrusted<Uint8Array>[] = [];
  for await (const bytes of core.journal.scan({ instance, kind: "instance" })) records.push(bytes);
  for await (const bytes of core.journal.scan({ instance, session: sessionId, kind: "entry" })) records.push(bytes);
  const recovered = recover(records, jwkThumbprintText);
  const session = recovered?.sessions.get(sessionId);
  if (recovered === null || session === undefined) return null;
  // The very bytes that were verified, so that a host cannot show other ones here.
  const believed = records
    .map((bytes) => decodedEntry(bytes))
    .filter((record) => record !== null)
    .filter(({ body: { entry } }) => entry.session_id === sessionId && entry.sequence_number < session.length)
    .sort((a, b) => a.body.entry.sequence_number - b.body.entry.sequence_number);
  const entries = believed.map(({ body }) => body.entry);
  if (!isChain(entries, session) || entries[0]?.detail?.["principal"] !== caller.principalId) return null;
  const stored = session.closed ? await latestClaim(core.journal, recovered, sessionId) : null;
  return {
    signingKey: recovered.jwk,
    entries,
    receipts: believed.flatMap((record) => receiptIn(record) ?? []),
    // A host that keeps the last claim back can show one over the session while it was open.
    closed: stored?.claim.gateway.audit_chain.tip === session.tip ? stored : null,
  };
}

/** The instance whose session this is, as the host says. */
async function writerOf(core: Core, sessionId: string): Promise<string | null> {
  for await (const bytes of core.journal.scan({ session: sessionId, kind: "entry" })) {
    const record = readRecord(bytes);
    if (record !== null) return record.instance;
  }
  return null;
}

function decodedEntry(bytes: Untrusted<Uint8Array>): Extract<JournalRecord, { kind: "entry" }> | null {
  const record = readRecord(bytes);
  return record?.kind === "entry" ? record : null;
}
