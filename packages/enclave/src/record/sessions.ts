import { SessionChain, resetLabelDetail } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { joinLabels, LOWEST, type Label, type SensitivityChange, type Session, type SessionTable } from "@cmcp/session";
import type { Clock } from "../instance/clock.ts";
import { callerDetail, type Caller } from "../access/caller.ts";
import { EvictedSessions, type EvictedLimits } from "./evicted-sessions.ts";
import { FlowMemory } from "./session-flows.ts";
import { RecordedSession } from "./recorded-session.ts";

/** A closed session in memory, so that its claim can be fetched again. */
export interface ClosedSession {
  readonly principalId: string;
  readonly root: string;
  readonly tip: string;
  readonly length: number;
  readonly claim: Claim;
}

/** Most closed sessions in memory, and most faulted ones. Older closed sessions are read from the host's store, see `StoredSessions`. */
const MAX_CLOSED = 256;
/** Most calls in the transcripts of those sessions together. */
const MAX_CLOSED_CALLS = 1_000_000;

/** The sessions of this instance. A caller finds only sessions of its own principal. */
export class Sessions {
  readonly #table: SessionTable;
  readonly #clock: Clock;
  readonly #open = new Map<string, RecordedSession>();
  readonly #closed = new Map<string, ClosedSession>();
  #closedCalls = 0;
  readonly #faulted = new Map<string, string>();
  #faultedCount = 0;
  readonly #evicted: EvictedSessions;
  #evictedNow: RecordedSession[] = [];
  readonly #flowMemory = new FlowMemory();
  readonly #due = new Set<RecordedSession>();

  /**
   * @param makeTable creates the table, which calls back for each session that it evicts
   * @param limits most evicted sessions that are not closed yet
   */
  constructor(makeTable: (evicted: (session: Session) => void) => SessionTable, limits: EvictedLimits, clock: Clock) {
    this.#table = makeTable((session) => this.#evict(session));
    this.#evicted = new EvictedSessions(limits);
    this.#clock = clock;
  }

  get openCount(): number {
    return this.#table.size;
  }

  /** Number of evicted sessions that are not closed yet. */
  get evictedCount(): number {
    return this.#evicted.size;
  }

  /** Opens a session with a new handle, once there is room. @throws CmcpError `SESSION_LIMIT_REACHED` */
  async open(caller: Caller): Promise<RecordedSession> {
    await this.#room(caller);
    return this.#recorded(this.#table.open(caller.principalId), caller);
  }

  /**
   * The session of the caller's label, opened on first use; without a label, the principal's default session. While
   * such a session is closing, the request waits for the close and then opens the next one.
   * @throws CmcpError `SESSION_LIMIT_REACHED`, or the error of a failed close, such as `AUDIT_STORE_UNAVAILABLE`
   */
  async openOrJoin(caller: Caller, label: string | null): Promise<RecordedSession> {
    // Another waiting request may have opened the next session already.
    for (let known = this.findByLabel(caller, label); known !== undefined; known = this.findByLabel(caller, label)) {
      if (known.lifecycle.takesCalls) return known;
      const closing = known;
      await closing.close?.claim.catch((thrown: unknown) => {
        // After a release the next session can be opened although the close failed.
        if (this.findByLabel(caller, label) === closing) throw thrown;
      });
    }
    await this.#room(caller);
    return this.#recorded(this.#table.openByLabel(caller.principalId, label), caller);
  }

  /**
   * Waits until the caller may open a session.
   * @throws CmcpError `SESSION_LIMIT_REACHED` if it opens sessions faster than they are closed
   */
  async #room(caller: Caller): Promise<void> {
    if (this.#table.isFull(caller.principalId)) await this.#evicted.waitForRoom(caller.principalId);
  }

  byHandle(caller: Caller, handle: string): RecordedSession | undefined {
    const session = this.#table.byHandle(caller.principalId, handle);
    return session === undefined ? undefined : this.#recorded(session, caller);
  }

  /** A session that is not closed, including evicted ones. */
  byId(caller: Caller, id: string): RecordedSession | undefined {
    const recorded = this.#open.get(id);
    return recorded?.session.principalId === caller.principalId ? recorded : undefined;
  }

  /** An open session of any principal, for an operator whose signature was verified. */
  forOperator(id: string): RecordedSession | undefined {
    return this.#open.get(id);
  }

  /** Resets the session's principal to the lowest sensitivity. */
  reset(recorded: RecordedSession): SensitivityChange {
    return this.#table.reset(recorded.session);
  }

  /** What the other open sessions of a session's principal have seen, as members of the detail of its reset. */
  labelBeside({ session }: RecordedSession): Record<string, string> {
    const others = this.#table
      .sessions()
      .filter((other) => other !== session && other.principalId === session.principalId);
    return resetLabelDetail(others.reduce<Label>((label, { own }) => joinLabels(label, own), LOWEST));
  }

  /** The caller's open session of a label. It never opens one. */
  findByLabel(caller: Caller, label: string | null): RecordedSession | undefined {
    const session = this.#table.findByLabel(caller.principalId, label);
    return session === undefined ? undefined : this.#recorded(session, caller);
  }

  closedById(caller: Caller, id: string): ClosedSession | undefined {
    const closed = this.#closed.get(id);
    return closed?.principalId === caller.principalId ? closed : undefined;
  }

  /** Whether a caller's session ended without a claim. */
  isFaulted({ principalId }: Caller, id: string): boolean {
    return this.#faulted.get(id) === principalId;
  }

  /** Number of sessions of this instance that ended without a claim. */
  get faultedCount(): number {
    return this.#faultedCount;
  }

  /** Notes that a session is used now. */
  touch(recorded: RecordedSession): void {
    this.#table.touch(recorded.session);
  }

  /** See `SessionTable.restoreStart`. */
  restoreStart(label: Label, except: ReadonlySet<string>): void {
    this.#table.restoreStart(label, except);
  }

  /** See `SessionTable.restoreFloor`. */
  restoreFloor(principalId: string, label: Label): void {
    this.#table.restoreFloor(principalId, label);
  }

  /** Returns the sessions evicted since the last call. The caller closes them. */
  takeEvicted(): RecordedSession[] {
    const taken = this.#evictedNow;
    this.#evictedNow = [];
    return taken;
  }

  /** Returns the sessions to close now: idle ones and scheduled ones. Unused sessions are dropped without a close. */
  takeDue(): RecordedSession[] {
    for (const session of this.#table.expired()) {
      const recorded = this.#started(session);
      if (recorded !== null) this.#due.add(recorded);
    }
    const taken = [...this.#due];
    this.#due.clear();
    return taken;
  }

  #evict(session: Session): void {
    const recorded = this.#started(session);
    if (recorded === null) return;
    this.#evicted.add(recorded);
    this.#evictedNow.push(recorded);
  }

  /** The session, if it has a root entry; otherwise it is dropped. */
  #started(session: Session): RecordedSession | null {
    const recorded = this.#open.get(session.id);
    if (recorded !== undefined && recorded.lifecycle.phase !== "unused") return recorded;
    recorded?.lifecycle.step("discard");
    this.#table.close(session);
    this.#open.delete(session.id);
    return null;
  }

  /** Schedules a session for the next {@link takeDue}. */
  scheduleClose(recorded: RecordedSession): void {
    this.#due.add(recorded);
  }

  /** Every open session. */
  openSessions(): RecordedSession[] {
    return [...this.#open.values()];
  }

  /** Removes a session that cannot be closed from the table, so that its principal can open another. The sensitivity stays. */
  release({ session }: RecordedSession): void {
    this.#table.close(session);
  }

  /** Replaces an open session by its claim. */
  recordClosed(recorded: RecordedSession, claim: Claim): void {
    const { session, chain } = recorded;
    this.#forget(recorded);
    this.#closed.set(session.id, {
      principalId: session.principalId,
      root: chain.root,
      tip: chain.tip,
      length: chain.length,
      claim,
    });
    this.#closedCalls += callsIn(claim);
    for (const [oldest, closed] of this.#closed) {
      if (this.#closed.size <= MAX_CLOSED && this.#closedCalls <= MAX_CLOSED_CALLS) break;
      this.#closed.delete(oldest);
      this.#closedCalls -= callsIn(closed.claim);
    }
  }

  /** Removes a session that ends without a claim, and remembers that it did. */
  recordFaulted(recorded: RecordedSession): void {
    this.#forget(recorded);
    this.#faulted.set(recorded.session.id, recorded.session.principalId);
    this.#faultedCount += 1;
    const oldest = this.#faulted.keys().next();
    if (this.#faulted.size > MAX_CLOSED && oldest.done !== true) this.#faulted.delete(oldest.value);
  }

  #forget(recorded: RecordedSession): void {
    recorded.flows.release();
    this.#table.close(recorded.session);
    this.#open.delete(recorded.session.id);
    this.#evicted.remove(recorded);
    this.#due.delete(recorded);
  }

  #recorded(session: Session, caller: Caller): RecordedSession {
    const known = this.#open.get(session.id);
    if (known !== undefined) return known;
    const recorded = new RecordedSession(
      session,
      new SessionChain(session.id, () => this.#clock.now().getTime()),
      callerDetail(caller),
      this.#flowMemory,
    );
    this.#open.set(session.id, recorded);
    return recorded;
  }
}

function callsIn({ trace }: Claim): number {
  return trace.tool_transcript.entries.length;
}
