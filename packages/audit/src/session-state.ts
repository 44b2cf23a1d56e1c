import type { AuditEntry } from "./entry.ts";
import type { Intent } from "./journal.ts";
import type { RecoveredSession } from "./recover.ts";

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
export function stateFrom(entry: AuditEntry): SessionState | null {
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
export function advance(state: SessionState, entry: AuditEntry): boolean {
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
