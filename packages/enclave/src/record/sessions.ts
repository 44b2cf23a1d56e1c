import { SessionChain } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import type { SensitivityChange, Session, SessionTable } from "@cmcp/session";
import type { Clock } from "../instance/clock.ts";
import { callerDetail, type Caller } from "../access/caller.ts";
import { EvictedSessions, type EvictedLimits } from "./evicted-sessions.ts";
import { RecordedSession } from "./recorded-session.ts";

/** What stays in memory of a closed session so that its claim can be fetched again for a while. */
export interface ClosedSession {
  readonly principalId: string;
  readonly root: string;
  readonly tip: string;
  readonly length: number;
  readonly claim: Claim;
}

/** Closed sessions remembered, and as many that ended as faulted; older closed ones are read back from the host's store, see `readClosed`. */
const MAX_CLOSED = 256;

/** The sessions of this instance with their chains. A caller only ever finds a session of its own principal. */
export class Sessions {
  readonly #table: SessionTable;
  readonly #clock: Clock;
  readonly #open = new Map<string, RecordedSession>();
  readonly #closed = new Map<string, ClosedSession>();
  readonly #faulted = new Map<string, string>();
  #faultedCount = 0;
  readonly #evicted: EvictedSessions;
  #evictedNow: RecordedSession[] = [];
  readonly #due = new Set<RecordedSession>();

  /**
   * @param makeTable makes the table, which tells of sessions it evicts to make room
   * @param limits how many of those may be waiting to be closed
   */
  constructor(makeTable: (evicted: (session: Session) => void) => SessionTable, limits: EvictedLimits, clock: Clock) {
    this.#table = makeTable((session) => this.#evict(session));
    this.#evicted = new EvictedSessions(limits);
    this.#clock = clock;
  }

  get openCount(): number {
    return this.#table.size;
  }

  /** Sessions that made room for others and are not closed yet. */
  get evictedCount(): number {
    return this.#evicted.size;
  }

  /** A new session with a handle of its own, once there is room for it. @throws CmcpError `SESSION_LIMIT_REACHED` */
  async open(caller: Caller): Promise<RecordedSession> {
    await this.#room(caller);
    return this.#recorded(this.#table.open(caller.principalId), caller);
  }

  /**
   * The session of a caller's label, or its one session when there is none; made on first use. One that is being closed, as
   * after its idle time, takes no more requests: what comes meanwhile waits, and goes on in the next. While the host is late with
   * what the close needs, there is no next.
   * @throws CmcpError `SESSION_LIMIT_REACHED`, or why the session could not be closed, `AUDIT_STORE_UNAVAILABLE` most likely
   */
  async openOrJoin(caller: Caller, label: string | null): Promise<RecordedSession> {
    // Another that waited may have opened the next; it needs no room.
    for (let known = this.findByLabel(caller, label); known !== undefined; known = this.findByLabel(caller, label)) {
      if (known.lifecycle.takesCalls) return known;
      const closing = known;
      await closing.close?.claim.catch((thrown: unknown) => {
        // One that was released is in nobody's way.
        if (this.findByLabel(caller, label) === closing) throw thrown;
      });
    }
    await this.#room(caller);
    return this.#recorded(this.#table.openByLabel(caller.principalId, label), caller);
  }

  /** Waits until the caller may open a session. @throws CmcpError `SESSION_LIMIT_REACHED` when it opens them faster than they are closed */
  async #room(caller: Caller): Promise<void> {
    if (this.#table.isFull(caller.principalId)) await this.#evicted.waitForRoom(caller.principalId);
  }

  byHandle(caller: Caller, handle: string): RecordedSession | undefined {
    const session = this.#table.byHandle(caller.principalId, handle);
    return session === undefined ? undefined : this.#recorded(session, caller);
  }

  /** One that is not closed yet, those included that made room for others. */
  byId(caller: Caller, id: string): RecordedSession | undefined {
    const recorded = this.#open.get(id);
    return recorded?.session.principalId === caller.principalId ? recorded : undefined;
  }

  /** Any principal's open session, for an operator whose signature has been verified. */
  forOperator(id: string): RecordedSession | undefined {
    return this.#open.get(id);
  }

  /** Takes the session's principal back to the lowest sensitivity. */
  reset(recorded: RecordedSession): SensitivityChange {
    return this.#table.reset(recorded.session);
  }

  /** A caller's open session of this label; never makes one. */
  findByLabel(caller: Caller, label: string | null): RecordedSession | undefined {
    const session = this.#table.findByLabel(caller.principalId, label);
    return session === undefined ? undefined : this.#recorded(session, caller);
  }

  closedById(caller: Caller, id: string): ClosedSession | undefined {
    const closed = this.#closed.get(id);
    return closed?.principalId === caller.principalId ? closed : undefined;
  }

  /** Whether a caller's session ended without a claim because the host cannot show its record. */
  isFaulted({ principalId }: Caller, id: string): boolean {
    return this.#faulted.get(id) === principalId;
  }

  /** Sessions of this instance that ended so. */
  get faultedCount(): number {
    return this.#faultedCount;
  }

  /** Notes that a session is used now. */
  touch(recorded: RecordedSession): void {
    this.#table.touch(recorded.session);
  }

  /** Where every principal starts but for those named, see `SessionTable.restoreStart`. */
  restoreStart(label: string, except: ReadonlySet<string>): void {
    this.#table.restoreStart(label, except);
  }

  /** What an earlier instance recorded of a principal; it only raises. */
  restoreFloor(principalId: string, label: string): void {
    this.#table.restoreFloor(principalId, label);
  }

  /** Sessions that made room since this was last asked; the caller closes them. */
  takeEvicted(): RecordedSession[] {
    const taken = this.#evictedNow;
    this.#evictedNow = [];
    return taken;
  }

  /** Sessions to be closed now: those idle for too long and those set aside. What was never used is only forgotten. */
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

  /** A session with something on record; one without is forgotten. */
  #started(session: Session): RecordedSession | null {
    const recorded = this.#open.get(session.id);
    if (recorded !== undefined && recorded.lifecycle.phase !== "unused") return recorded;
    recorded?.lifecycle.step("discard");
    this.#table.close(session);
    this.#open.delete(session.id);
    return null;
  }

  /** Keeps a session that must still be closed for the next {@link takeDue}. */
  scheduleClose(recorded: RecordedSession): void {
    this.#due.add(recorded);
  }

  /** Every session still open, for a clean shutdown. */
  openSessions(): RecordedSession[] {
    return [...this.#open.values()];
  }

  /** Takes a session that cannot be closed out of its principal's way; what the principal has seen stays with it. */
  release({ session }: RecordedSession): void {
    this.#table.close(session);
  }

  /** Forgets an open session; what an auditor needs stays for a while and in the host's store. */
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
    bound(this.#closed);
  }

  /** Forgets a session that ends without a claim, but for that. */
  recordFaulted(recorded: RecordedSession): void {
    this.#forget(recorded);
    this.#faulted.set(recorded.session.id, recorded.session.principalId);
    this.#faultedCount += 1;
    bound(this.#faulted);
  }

  #forget(recorded: RecordedSession): void {
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
    );
    this.#open.set(session.id, recorded);
    return recorded;
  }
}

/** Forgets the oldest beyond {@link MAX_CLOSED}. */
function bound(remembered: Map<string, unknown>): void {
  const oldest = remembered.keys().next();
  if (remembered.size > MAX_CLOSED && oldest.done !== true) remembered.delete(oldest.value);
}
