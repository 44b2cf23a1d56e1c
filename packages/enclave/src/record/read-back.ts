import { hash } from "node:crypto";
import { CmcpError, asCmcpError, type Untrusted } from "@cmcp/boundary";
import {
  decodeRecord,
  entryHashInput,
  hashedEntry,
  type AuditEntry,
  type HashedEntry,
  type JournalRecord,
} from "@cmcp/audit";
import type { Core } from "../boot/core.ts";

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
  const read: { readonly sequence: number; readonly entry: HashedEntry }[] = [];
  for await (const bytes of core.journal.scan({ instance: core.instance, session: sessionId, kind: "entry" })) {
    const entry = hashedEntry(bytes);
    const { sequence_number: sequence } = entry;
    // What was added after the point was taken is none of it.
    if (typeof sequence === "number" && sequence < point.length) read.push({ sequence, entry });
  }
  const entries = read.toSorted((a, b) => a.sequence - b.sequence).map(({ entry }) => entry);
  let tip = "genesis";
  const linked = entries.every((entry) => {
    const follows = entry["prev_entry_hash"] === tip;
    tip = entry.entry_hash;
    return follows;
  });
  if (!linked || entries.length !== point.length || entries[0]?.entry_hash !== point.root || tip !== point.tip) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not hold the chain this session has");
  }
  // Each is the text of the hash that the next one names, up to the tip this process gave the chain: so it is what this process wrote.
  return entries as unknown as AuditEntry[];
}

/** A record the host handed back, or `null` for garbage: an earlier instance's journal is believed as far as it verifies, and no further. */
export function readRecord(bytes: Untrusted<Uint8Array>): JournalRecord | null {
  try {
    return decodeRecord(bytes);
  } catch (thrown) {
    if (asCmcpError(thrown, "INTERNAL", "").code !== "AUDIT_STORE_MISMATCH") throw thrown;
    return null;
  }
}

/** Whether entries are exactly one chain: every entry hashes to its own hash and names the one before, from root to tip. */
export function isChain(entries: readonly AuditEntry[], point: ChainPoint): boolean {
  let tip = "genesis";
  const linked = entries.every((entry, index) => {
    const linked =
      entry.prev_entry_hash === tip &&
      entry.sequence_number === index &&
      hash("sha256", entryHashInput(entry), "hex") === entry.entry_hash;
    tip = entry.entry_hash;
    return linked;
  });
  return linked && entries.length === point.length && entries[0]?.entry_hash === point.root && tip === point.tip;
}
