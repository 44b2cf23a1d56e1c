import { decodeRecord, recover, type AuditEntry, type IncompleteSession, type Receipt } from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import type { Untrusted } from "@cmcp/boundary";
import type { Core } from "../core.ts";
import type { Caller } from "../principals.ts";

/** An earlier instance's interrupted session of this caller, or `null`. Only what verifies is returned. */
export async function interrupted(core: Core, caller: Caller, sessionId: string): Promise<IncompleteSession | null> {
  const stored: { instance: string; entry: AuditEntry; receipt: Receipt | null }[] = [];
  for await (const bytes of core.journal.scan({ session: sessionId, kind: "entry" })) {
    const record = decodeRecord(bytes);
    if (record.kind === "entry") stored.push({ instance: record.instance, ...record.body });
  }
  const instance = stored[0]?.instance;
  if (instance === undefined || instance === core.instance) return null;
  const records: Untrusted<Uint8Array>[] = [];
  for await (const bytes of core.journal.scan({ instance, kind: "instance" })) records.push(bytes);
  for await (const bytes of core.journal.scan({ instance, session: sessionId })) records.push(bytes);
  const recovered = recover(records, jwkThumbprintText);
  const session = recovered?.sessions.get(sessionId);
  if (recovered === null || recovered === undefined || session === undefined) return null;
  const believed = stored.filter(({ entry }) => entry.sequence_number < session.length).sort((a, b) => a.entry.sequence_number - b.entry.sequence_number);
  if (believed[0]?.entry.detail?.["principal"] !== caller.principalId) return null;
  return {
    session_id: sessionId,
    incomplete: true,
    signing_key: recovered.jwk,
    entries: believed.map(({ entry }) => entry),
    receipts: believed.flatMap(({ receipt }) => (receipt === null ? [] : [receipt])),
  };
}
