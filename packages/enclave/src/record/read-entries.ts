import { CmcpError, isJsonObject } from "@cmcp/boundary";
import {
  CLOSED_SESSION,
  PREVIOUS_SESSION,
  hashedEntry,
  successorOf,
  type AuditEntry,
  type HashedEntry,
} from "@cmcp/audit";
import type { ShownRecord } from "@cmcp/wire";
import type { HostLog } from "./host-log.ts";
import { isSessionId } from "./session-id.ts";

/** Most resets of one chain that are followed back to its first session. */
const MAX_RESETS = 1_024;

/** A point of a session's chain, as this process or a signed claim knows it. */
export interface ChainPoint {
  /** The first session of the chain: an operator's reset opens a further one in it. */
  readonly first: string;
  /** The session that the chain is of at this point. */
  readonly session: string;
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
export async function* readEntries({ journal }: OwnJournal, point: ChainPoint): AsyncGenerator<AuditEntry, void, void> {
  let read = 0;
  let tip = "genesis";
  for await (const { entry } of scanChain(journal, point.first)) {
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

/** An entry's record, and the entry, which has the hash that it names. */
export interface ShownEntry {
  readonly shown: ShownRecord;
  readonly entry: HashedEntry;
}

/**
 * The entries of a chain, from its first session on. The host may show anything: whoever reads them holds each
 * to the one before, and a reset that leads to another chain breaks that.
 */
export async function* scanChain(
  journal: OwnJournal["journal"],
  first: string,
): AsyncGenerator<ShownEntry, void, void> {
  for (let session: string | null = first; session !== null; ) {
    let successor: string | null = null;
    for await (const shown of journal.scan({ session, kind: "entry" })) {
      const entry = hashedEntry(shown.body);
      yield { shown, entry };
      successor = successorOf(entry as unknown as AuditEntry);
    }
    session = successor;
  }
}

/**
 * The first session of the chain that a session's entries are in, as the host shows it: the first entry of a successor
 * names the session that was reset.
 */
export async function firstSession({ journal }: OwnJournal, sessionId: string): Promise<string> {
  const seen = new Set<string>();
  for (let session = sessionId; !seen.has(session) && seen.size < MAX_RESETS; ) {
    seen.add(session);
    const before = await sessionBefore(journal, session);
    if (before === null) return session;
    session = before;
  }
  throw notThisChain();
}

/** `null` for the first session of a chain, and where the host shows none. */
async function sessionBefore(journal: OwnJournal["journal"], session: string): Promise<string | null> {
  for await (const { body } of journal.scan({ session, kind: "entry" })) {
    const entry = hashedEntry(body);
    const { detail } = entry;
    const member = entry["entry_type"] === "session_reset" ? PREVIOUS_SESSION : CLOSED_SESSION;
    const before = isJsonObject(detail) ? detail[member] : undefined;
    const isFirst = entry["prev_entry_hash"] === "genesis";
    return !isFirst && typeof before === "string" && before !== session && isSessionId(before) ? before : null;
  }
  return null;
}

/**
 * The root entry of a chain from the host's store, which shows it first.
 * @param first the first session of the chain
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host does not return it
 */
export async function readRoot({ journal }: OwnJournal, first: string, root: string): Promise<AuditEntry> {
  for await (const { body } of journal.scan({ session: first, kind: "entry" })) {
    const entry = hashedEntry(body);
    // The hash is known to be the root of a chain that an instance of this log wrote.
    if (entry.entry_hash === root) return entry as unknown as AuditEntry;
  }
  throw notThisChain();
}

function notThisChain(): CmcpError {
  return new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not hold the chain this session has");
}
