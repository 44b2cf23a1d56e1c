import { hash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { entryHashInput, hashedEntry, type AuditEntry, type HashedEntry } from "@cmcp/audit";
import type { Journal } from "./journal.ts";

/** A point of a session's chain, as this process or a signed claim knows it. */
export interface ChainPoint {
  readonly root: string;
  readonly tip: string;
  readonly length: number;
}

/** The journal of this instance. */
export interface OwnJournal {
  readonly journal: Pick<Journal, "scan">;
  readonly instance: string;
}

/**
 * A session's entries from the host's store, up to a point of its chain. Only exactly that chain is accepted.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host returns anything else
 */
export async function readEntries(
  { journal, instance }: OwnJournal,
  sessionId: string,
  point: ChainPoint,
): Promise<AuditEntry[]> {
  const read: { readonly sequence: number; readonly entry: HashedEntry }[] = [];
  for await (const bytes of journal.scan({ instance, session: sessionId, kind: "entry" })) {
    const entry = hashedEntry(bytes);
    const { sequence_number: sequence } = entry;
    // Later entries are not part of it.
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
    throw notThisChain();
  }
  // Each entry has the hash that the next one names, up to a tip that this process knows. So this process wrote them.
  return entries as unknown as AuditEntry[];
}

/**
 * The root entry of a session from the host's store, which shows it first.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host does not return it
 */
export async function readRoot(
  { journal, instance }: OwnJournal,
  sessionId: string,
  root: string,
): Promise<AuditEntry> {
  for await (const bytes of journal.scan({ instance, session: sessionId, kind: "entry" })) {
    const entry = hashedEntry(bytes);
    // The hash is known to be the root of a chain that this process wrote.
    if (entry.entry_hash === root) return entry as unknown as AuditEntry;
  }
  throw notThisChain();
}

/** Whether entries form exactly one chain: each has its own hash and names the one before, from root to tip. */
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

function notThisChain(): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not hold the chain this session has");
}
