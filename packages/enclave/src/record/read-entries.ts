import { CmcpError } from "@cmcp/boundary";
import { hashedEntry, type AuditEntry } from "@cmcp/audit";
import type { HostLog } from "./host-log.ts";

/** A point of a session's chain, as this process or a signed claim knows it. */
export interface ChainPoint {
  readonly root: string;
  readonly tip: string;
  readonly length: number;
}

/** The log of this gateway. */
export interface OwnJournal {
  readonly journal: Pick<HostLog, "scan">;
}

/**
 * A session's entries from the host's store, up to a point of its chain. Each is checked to follow the one before when
 * it is read, and the last one to be the point. So what was returned is this process's own only once the end is reached
 * without an error.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` at the first entry that the chain does not have there
 */
export async function* readEntries(
  { journal }: OwnJournal,
  sessionId: string,
  point: ChainPoint,
): AsyncGenerator<AuditEntry, void, void> {
  let read = 0;
  let tip = "genesis";
  for await (const { body } of journal.scan({ session: sessionId, kind: "entry" })) {
    const entry = hashedEntry(body);
    if (entry["prev_entry_hash"] !== tip || (read === 0 && entry.entry_hash !== point.root)) throw notThisChain();
    tip = entry.entry_hash;
    read += 1;
    if (read === point.length && tip !== point.tip) throw notThisChain();
    yield entry as unknown as AuditEntry;
    // Later entries are not part of it.
    if (read === point.length) return;
  }
  throw notThisChain();
}

/**
 * The root entry of a session from the host's store, which shows it first.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host does not return it
 */
export async function readRoot({ journal }: OwnJournal, sessionId: string, root: string): Promise<AuditEntry> {
  for await (const { body } of journal.scan({ session: sessionId, kind: "entry" })) {
    const entry = hashedEntry(body);
    // The hash is known to be the root of a chain that an instance of this log wrote.
    if (entry.entry_hash === root) return entry as unknown as AuditEntry;
  }
  throw notThisChain();
}

function notThisChain(): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not hold the chain this session has");
}
