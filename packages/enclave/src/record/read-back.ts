import { createHash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { decodeRecord, entryHashInput, type AuditEntry } from "@cmcp/audit";
import type { Core } from "../core.ts";

/** The point up to which a session is read: what this process knows its chain to be. */
export interface ChainPoint {
  readonly root: string;
  readonly tip: string;
  readonly length: number;
}

/**
 * A session's entries from the host's store, accepted only if they are exactly the chain this process
 * remembers. @throws CmcpError `AUDIT_STORE_MISMATCH` when the host returns anything else.
 */
export async function readEntries(core: Core, sessionId: string, point: ChainPoint): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const bytes of core.journal.scan({ instance: core.instance, session: sessionId, kind: "entry" })) {
    const record = decodeRecord(bytes);
    if (record.kind !== "entry") throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's store returned a record of another kind");
    if (record.body.entry.sequence_number < point.length) entries.push(record.body.entry);
  }
  entries.sort((a, b) => a.sequence_number - b.sequence_number);
  if (!isChain(entries) || entries.length !== point.length || entries[0]?.entry_hash !== point.root || entries.at(-1)?.entry_hash !== point.tip) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not hold the chain this session has");
  }
  return entries;
}

/** Every entry hashes to its own hash and names the one before. */
function isChain(entries: readonly AuditEntry[]): boolean {
  let tip = "genesis";
  return entries.every((entry, index) => {
    const linked = entry.prev_entry_hash === tip && entry.sequence_number === index && createHash("sha256").update(entryHashInput(entry)).digest("hex") === entry.entry_hash;
    tip = entry.entry_hash;
    return linked;
  });
}
