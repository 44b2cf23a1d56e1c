import type { AuditEntry } from "./entry.ts";
import { isUntrusted, sessionLabelsOf } from "./entry-label.ts";
import type { Intent } from "./journal.ts";

/** What an earlier instance's records establish about one of its sessions. */
export interface RecoveredSession {
  readonly sessionId: string;
  readonly root: string;
  readonly tip: string;
  readonly length: number;
  /** `session_end` is in the chain. */
  readonly closed: boolean;
  /** The session's principal; `null` if its root entry names none. */
  readonly principal: string | null;
  /** The session's sensitivity after its last entry that names one. */
  readonly sensitivity: string | null;
  /**
   * Every label that its entries name since its start or its last reset. Their compartments apply to its principal.
   */
  readonly seen: ReadonlySet<string>;
  /** Whether its entries say that it had seen text of a server without trust, since its start or its last reset. */
  readonly untrusted: boolean;
  /** Time of the last entry, ISO 8601, by a clock the host sets. */
  readonly lastTime: string;
  /** The hash of the claim that was issued for it, if one is in the journal. */
  readonly claimHash: string | null;
  /** Calls that may have been sent and have no entry, in the order of their intents. */
  readonly openIntents: readonly Intent[];
  /** For a recovery session: the interrupted session it answers, and the calls it has a fault entry for. */
  readonly answers: { readonly instance: string; readonly session: string; readonly callIds: readonly string[] } | null;
}

/** What has been read of one session so far. */
export interface SessionState {
  root: string;
  tip: string;
  length: number;
  closed: boolean;
  claimHash: string | null;
  principal: string | null;
  sensitivity: string | null;
  seen: Set<string>;
  untrusted: boolean;
  /** The labels of `seen` that its own calls could return. */
  own: Set<string>;
  lastTime: string;
  readonly intents: Map<string, Intent>;
  answers: { instance: string; session: string; callIds: string[] } | null;
}

/** The state of a session before its root entry is appended; `null` for an entry that is not a root entry. */
export function initialState(entry: AuditEntry): SessionState | null {
  if (entry.entry_type !== "session_start") return null;
  return {
    root: entry.entry_hash,
    tip: "genesis",
    length: 0,
    closed: false,
    claimHash: null,
    principal: principalOf(entry),
    sensitivity: null,
    seen: new Set(),
    untrusted: false,
    own: new Set(),
    lastTime: entry.timestamp_utc,
    intents: new Map(),
    answers: answersOf(entry),
  };
}

/** Appends the next entry of the chain. Returns false, and changes nothing, for any other entry. */
export function acceptEntry(state: SessionState, entry: AuditEntry): boolean {
  if (state.closed || entry.prev_entry_hash !== state.tip || entry.sequence_number !== state.length) return false;
  state.tip = entry.entry_hash;
  state.length += 1;
  state.lastTime = entry.timestamp_utc;
  if (entry.session_sensitivity_after !== null) {
    state.sensitivity = entry.session_sensitivity_after;
    for (const label of sessionLabelsOf(entry)) state.seen.add(label);
    state.untrusted ||= isUntrusted(entry);
  }
  state.closed = entry.entry_type === "session_end";
  if (entry.call_id !== null) {
    state.intents.delete(entry.call_id);
    state.answers?.callIds.push(entry.call_id);
  }
  return true;
}

/** The sessions that the states prove; those without an entry are left out. */
export function recoveredSessions(states: ReadonlyMap<string, SessionState>): Map<string, RecoveredSession> {
  const sessions = new Map<string, RecoveredSession>();
  for (const [sessionId, state] of states) {
    if (state.length === 0) continue;
    const { intents, own: _own, ...rest } = state;
    sessions.set(sessionId, { sessionId, ...rest, openIntents: [...intents.values()] });
  }
  return sessions;
}

function principalOf(root: AuditEntry): string | null {
  const principal = root.detail?.["principal"];
  return typeof principal === "string" ? principal : null;
}

function answersOf(root: AuditEntry): SessionState["answers"] {
  const instance = root.detail?.["recovered_instance"];
  const session = root.detail?.["recovered_session"];
  return typeof instance === "string" && typeof session === "string" ? { instance, session, callIds: [] } : null;
}
