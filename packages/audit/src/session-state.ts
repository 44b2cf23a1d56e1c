import type { AuditEntry } from "./entry.ts";
import type { Intent } from "./journal.ts";

/** What an earlier instance's records establish about one of its sessions. */
export interface RecoveredSession {
  readonly sessionId: string;
  readonly root: string;
  readonly tip: string;
  readonly length: number;
  /** `session_end` is in the chain. */
  readonly closed: boolean;
  /** Whose session it was; `null` when its root entry does not say. */
  readonly principal: string | null;
  /** The session's sensitivity after its last entry that names one. */
  readonly sensitivity: string | null;
  /**
   * Every label that its entries name, since it began or an operator last reset it: the highest of them is held against
   * its principal.
   */
  readonly seen: ReadonlySet<string>;
  /** Time of the last entry, ISO 8601, by a clock the host sets. */
  readonly lastTime: string;
  /** The hash of the claim that was issued for it, if one is in the journal. */
  readonly claimHash: string | null;
  /** Calls that may have left and have no entry, in the order they were announced. */
  readonly openIntents: readonly Intent[];
  /** Set on a recovery session: whose interrupted session it answers, and the calls it holds a fault entry for. */
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
  /** Of these the labels of what its own calls could show. */
  own: Set<string>;
  lastTime: string;
  readonly intents: Map<string, Intent>;
  answers: { instance: string; session: string; callIds: string[] } | null;
}

/** A session that begins with this entry, which is not in its chain yet; `null` for any other entry. */
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
    own: new Set(),
    lastTime: entry.timestamp_utc,
    intents: new Map(),
    answers: answersOf(entry),
  };
}

/** Takes the entry that comes next in the chain. False, and nothing changed, for one that does not. */
export function acceptEntry(state: SessionState, entry: AuditEntry): boolean {
  if (state.closed || entry.prev_entry_hash !== state.tip || entry.sequence_number !== state.length) return false;
  state.tip = entry.entry_hash;
  state.length += 1;
  state.lastTime = entry.timestamp_utc;
  if (entry.session_sensitivity_after !== null) {
    state.sensitivity = entry.session_sensitivity_after;
    state.seen.add(entry.session_sensitivity_after);
  }
  state.closed = entry.entry_type === "session_end";
  if (entry.call_id !== null) {
    state.intents.delete(entry.call_id);
    state.answers?.callIds.push(entry.call_id);
  }
  return true;
}

/** What the states establish; a session without an entry is none. */
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
