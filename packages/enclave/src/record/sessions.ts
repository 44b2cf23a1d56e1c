import { randomUUID } from "node:crypto";
import { AGENT_MANIFEST, CLOSED_SESSION, SessionChain, resetLabelDetail, type Auditor } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { manifestDetail } from "@cmcp/manifest";
import { joinLabels, LOWEST, type Label, type SensitivityChange, type Session, type SessionTable } from "@cmcp/session";
import type { Clock } from "../instance/clock.ts";
import { callerDetail, type Caller } from "../access/caller.ts";
import type { SessionManifest } from "../access/manifests.ts";
import { EvictedSessions, type EvictedLimits } from "./evicted-sessions.ts";
import { FlowMemory, SessionFlows } from "./session-flows.ts";
import type { ChainPoint } from "./read-entries.ts";
import { RecordedSession } from "./recorded-session.ts";

/** A closed session in memory, so that its claim can be fetched again. */
export interface ClosedSession extends ChainPoint {
  readonly principalId: string;
  readonly claim: Claim;
}

/** Most closed sessions in memory, and most faulted ones. Older closed sessions are read from the host's store, see `StoredSessions`. */
const MAX_CLOSED = 256;
/** Most calls in the transcripts of those sessions together. */
const MAX_CLOSED_CALLS = 1_000_000;

/** What sessions have from elsewhere. */
export interface SessionSources {
  /** Who can open the commitments of sessions. */
  readonly auditors?: readonly Auditor[];
  /**
   * The agent manifest that a caller's session opens under; `null` where the configuration asks for none.
   * @throws CmcpError `AGENT_MANIFEST_BINDING_FAILED` where there is none that counts
   */
  readonly manifestOf?: (caller: Caller) => SessionManifest | null;
}

/** The sessions of this instance. A caller finds only sessions of its own principal. */
export class Sessions {
  readonly #table: SessionTable;
  readonly #clock: Clock;
  /** Those that are not closed. */
  readonly #open = new Set<RecordedSession>();
  /** The same by their principals. */
  readonly #openOf = new Map<string, Set<RecordedSession>>();
  /** The same by every session of their chains. */
  readonly #byId = new Map<string, RecordedSession>();
  /** What takes the calls of a session in the table: none but the latest of those that went on for each other. */
  readonly #current = new Map<Session, RecordedSession>();
  readonly #closed = new Map<string, ClosedSession>();
  #closedCalls = 0;
  readonly #faulted = new Map<string, string>();
  #faultedCount = 0;
  readonly #evicted: EvictedSessions;
  #evictedNow: RecordedSession[] = [];
  readonly #flowMemory = new FlowMemory();
  readonly #auditors: readonly Auditor[];
  readonly #manifestOf: (caller: Caller) => SessionManifest | null;
  readonly #due = new Set<RecordedSession>();

  /**
   * @param makeTable creates the table, which calls back for each session that it evicts
   * @param limits most evicted sessions that are not closed yet
   */
  constructor(
    makeTable: (evicted: (session: Session) => void) => SessionTable,
    limits: EvictedLimits,
    clock: Clock,
    { auditors = [], manifestOf = () => null }: SessionSources = {},
  ) {
    this.#auditors = auditors;
    this.#manifestOf = manifestOf;
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

  /** Opens a session with a new handle, once there is room. @throws CmcpError `SESSION_LIMIT_REACHED`, `AGENT_MANIFEST_BINDING_FAILED` */
  async open(caller: Caller): Promise<RecordedSession> {
    await this.#room(caller);
    const manifest = this.#manifestOf(caller);
    return this.#recorded(this.#table.open(caller.principalId, caller.channel, caller.endpoint), caller, manifest);
  }

  /**
   * The session of the caller's label, opened on first use; without a label, the principal's default session. While
   * such a session is closing, the request waits for the close and then opens the next one.
   * @throws CmcpError `SESSION_LIMIT_REACHED`, `AGENT_MANIFEST_BINDING_FAILED`, or the error of a failed close, such as
   * `AUDIT_STORE_UNAVAILABLE`
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
    const manifest = this.#manifestOf(caller);
    const session = this.#table.openByLabel(caller.principalId, label, caller.channel, caller.endpoint);
    return this.#recorded(session, caller, manifest);
  }

  /**
   * Waits until the caller may open a session.
   * @throws CmcpError `SESSION_LIMIT_REACHED` if it opens sessions faster than they are closed
   */
  async #room(caller: Caller): Promise<void> {
    if (this.#table.isFull(caller.principalId)) await this.#evicted.waitForRoom(caller.principalId);
  }

  byHandle(caller: Caller, handle: string): RecordedSession | undefined {
    const session = this.#table.byHandle(caller.principalId, handle, caller.channel);
    return session === undefined ? undefined : this.#current.get(session);
  }

  /** A session that is not closed, including evicted ones. */
  byId(caller: Caller, id: string): RecordedSession | undefined {
    const recorded = this.#byId.get(id);
    return recorded?.session.principalId === caller.principalId ? recorded : undefined;
  }

  /** An open session of any principal, for an operator whose signature was verified. */
  forOperator(id: string): RecordedSession | undefined {
    return this.#byId.get(id);
  }

  /** Resets the session's principal to the lowest sensitivity. */
  reset(recorded: RecordedSession): SensitivityChange {
    return this.#table.reset(recorded.session);
  }

  /** Lets a session be found by the successor that its reset has named, and gives that a key of its own. */
  rename(recorded: RecordedSession): void {
    recorded.renewCommitments();
    this.#byId.set(recorded.id, recorded);
  }

  /** What takes the calls of a session, of those that went on for each other; `undefined` once it is closed. */
  currentOf(session: Session): RecordedSession | undefined {
    return this.#current.get(session);
  }

  /**
   * Opens the session that goes on for a full one: by its handle and label, with its labels and what its agent was handed.
   * @returns `null` where the session is not in the table any more, so that nobody could use another
   */
  succeed(recorded: RecordedSession): RecordedSession | null {
    const { session, openedBy, flows, id, manifest } = recorded;
    if (session.state === "closed" || this.#current.get(session) !== recorded) return null;
    recorded.successor = randomUUID();
    return this.#add(
      new RecordedSession(
        session,
        this.#chain(recorded.successor),
        { ...openedBy, [CLOSED_SESSION]: id },
        {
          flows,
          auditors: this.#auditors,
          manifest,
        },
      ),
    );
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
    const session = this.#table.findByLabel(caller.principalId, label, caller.channel, caller.endpoint);
    return session === undefined ? undefined : this.#current.get(session);
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
    const recorded = this.#current.get(session);
    if (recorded !== undefined && recorded.lifecycle.phase !== "unused") return recorded;
    recorded?.lifecycle.step("discard");
    if (recorded === undefined) this.#table.close(session);
    else this.#forget(recorded);
    return null;
  }

  /** Schedules a session for the next {@link takeDue}. */
  scheduleClose(recorded: RecordedSession): void {
    this.#due.add(recorded);
  }

  /** Every open session. */
  openSessions(): RecordedSession[] {
    return [...this.#open];
  }

  /** Every open session of one principal. */
  openSessionsOf(principalId: string): RecordedSession[] {
    return [...(this.#openOf.get(principalId) ?? [])];
  }

  /** Removes a session that cannot be closed from the table, so that its principal can open another. The sensitivity stays. */
  release(recorded: RecordedSession): void {
    if (this.#current.get(recorded.session) === recorded) this.#table.close(recorded.session);
  }

  /** Replaces an open session by its claim. @returns whether nothing goes on for it, so that what others hold of it is of no use */
  recordClosed(recorded: RecordedSession, claim: Claim): boolean {
    const { session, chain } = recorded;
    const isLast = this.#forget(recorded);
    for (const id of chain.sessionIds) {
      this.#closed.set(id, { principalId: session.principalId, ...pointOf(recorded), claim });
      this.#closedCalls += callsIn(claim);
    }
    for (const [oldest, closed] of this.#closed) {
      if (this.#closed.size <= MAX_CLOSED && this.#closedCalls <= MAX_CLOSED_CALLS) break;
      this.#closed.delete(oldest);
      this.#closedCalls -= callsIn(closed.claim);
    }
    return isLast;
  }

  /** Removes a session that ends without a claim, and remembers that it did. @returns as {@link recordClosed} */
  recordFaulted(recorded: RecordedSession): boolean {
    const isLast = this.#forget(recorded);
    this.#faultedCount += 1;
    for (const id of recorded.chain.sessionIds) this.#faulted.set(id, recorded.session.principalId);
    for (const oldest of this.#faulted.keys()) {
      if (this.#faulted.size <= MAX_CLOSED) break;
      this.#faulted.delete(oldest);
    }
    return isLast;
  }

  #forget(recorded: RecordedSession): boolean {
    const { session, flows, chain } = recorded;
    this.#open.delete(recorded);
    const own = this.#openOf.get(session.principalId);
    own?.delete(recorded);
    if (own?.size === 0) this.#openOf.delete(session.principalId);
    for (const id of chain.sessionIds) this.#byId.delete(id);
    this.#evicted.remove(recorded);
    this.#due.delete(recorded);
    if (this.#current.get(session) !== recorded) return false;
    this.#current.delete(session);
    flows.release();
    this.#table.close(session);
    return true;
  }

  #recorded(session: Session, caller: Caller, manifest: SessionManifest | null): RecordedSession {
    const known = this.#current.get(session);
    if (known !== undefined) return known;
    const flows = new SessionFlows(this.#flowMemory, session.principalId);
    const openedBy = { ...callerDetail(caller), ...manifestMembers(manifest) };
    const parts = { flows, auditors: this.#auditors, manifest };
    return this.#add(new RecordedSession(session, this.#chain(session.id), openedBy, parts));
  }

  #add(recorded: RecordedSession): RecordedSession {
    this.#open.add(recorded);
    const { principalId } = recorded.session;
    this.#openOf.set(principalId, (this.#openOf.get(principalId) ?? new Set()).add(recorded));
    this.#byId.set(recorded.id, recorded);
    this.#current.set(recorded.session, recorded);
    return recorded;
  }

  #chain(id: string): SessionChain {
    return new SessionChain(id, () => this.#clock.now().getTime());
  }
}

/** What a root entry says of the session's agent manifest. */
function manifestMembers(manifest: SessionManifest | null): Readonly<Record<string, string>> {
  if (manifest === null) return {};
  const { facts, source } = manifest;
  return { [AGENT_MANIFEST]: facts.thumbprint, ...manifestDetail(facts, source) };
}

/** The present end of a session's chain, which has a root entry. */
export function pointOf({ chain }: RecordedSession): ChainPoint {
  const { root, tip, length, sessionId: session } = chain;
  return { first: chain.sessionIds[0], session, root, tip, length };
}

function callsIn({ trace }: Claim): number {
  return trace.tool_transcript.entries.length;
}
