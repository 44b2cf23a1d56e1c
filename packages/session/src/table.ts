import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { PrincipalState } from "./principal.ts";
import type { SensitivityChange } from "./record.ts";
import { Session } from "./session.ts";
import { LOWEST_LABEL, type Vocabulary } from "./vocabulary.ts";

/** Random bytes in a session handle: 256 bits. */
export const HANDLE_BYTES = 32;
/** Longest session label a caller may choose, in UTF-16 units. */
export const MAX_LABEL_LENGTH = 256;
/** Most principals whose sensitivity is remembered at one time. */
export const MAX_PRINCIPALS = 100_000;

/** Bounds and sources of a {@link SessionTable}. */
export interface SessionTableOptions {
  readonly vocabulary: Vocabulary;
  /** Most sessions at one time. */
  readonly maxSessions: number;
  /** Most sessions of one principal at one time. */
  readonly maxPerPrincipal: number;
  /** Milliseconds without use after which a session expires. */
  readonly idleMs: number;
  /** Milliseconds for which a principal's sensitivity outlives its last session. */
  readonly floorMs: number;
  /** Told of a session that made room for another of its principal; it is out of the table already. */
  readonly evicted?: (session: Session) => void;
  /** Milliseconds that never go back; idle times are measured by it, because wall time is the host's word. */
  readonly monotonic?: () => number;
  /** Makes session ids; random UUIDs by default. */
  readonly newId?: () => string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** 256 random bits, base64url. */
function newHandle(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(HANDLE_BYTES)));
}

/**
 * The sessions of one gateway instance. What belongs to another principal looks exactly like what does not
 * exist. A closed session leaves nothing behind but its principal's sensitivity, and that only above public.
 */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #byHandle = new Map<string, Session>();
  readonly #byId = new Map<string, Session>();
  readonly #principals = new Map<string, PrincipalState>();
  /** Where principals start of whom nothing is known, and those that do not. */
  #start: { readonly label: string; readonly until: number; readonly except: Set<string> } | null = null;

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  /** Sessions in the table, those closing included. */
  get size(): number {
    return this.#byId.size;
  }

  /** Principals the table remembers something of. */
  get principals(): number {
    return this.#principals.size;
  }

  /** The sessions in the table, oldest first. */
  sessions(): readonly Session[] {
    return [...this.#byId.values()];
  }

  /** Notes that a session is used now. */
  touch(session: Session): void {
    if (this.#byId.get(session.id) !== session) return;
    session.lastUsedAt = this.#monotonic();
    this.#byId.delete(session.id);
    this.#byId.set(session.id, session);
    const principal = this.#principals.get(session.principalId);
    if (principal === undefined) return;
    principal.seenAt = session.lastUsedAt;
    principal.sessions.delete(session);
    principal.sessions.add(session);
  }

  /** Sessions nobody has used for the idle time, oldest first; the caller closes them. Forgets floors whose time is over. */
  expired(): Session[] {
    const now = this.#monotonic();
    const found: Session[] = [];
    for (const session of this.#byId.values()) {
      if (now - session.lastUsedAt < this.#options.idleMs) break;
      if (session.inUse === 0 && session.state === "open") found.push(session);
    }
    for (const principal of this.#principals.values()) {
      if (principal.sessions.size === 0 && now - principal.seenAt >= this.#options.floorMs)
        this.#principals.delete(principal.id);
    }
    return found;
  }

  /** Takes over what an earlier instance recorded of a principal. It only raises. */
  restoreFloor(principalId: string, label: string): void {
    this.#principal(principalId).raise(label);
  }

  /**
   * Every principal starts from this label, but for those named, for as long as what a principal has seen outlives its last session:
   * what earlier instances recorded of them is not known. It only raises.
   */
  restoreStart(label: string, except: ReadonlySet<string>): void {
    this.#start = { label, until: this.#monotonic() + this.#options.floorMs, except: new Set(except) };
    for (const principal of this.#principals.values()) this.#raiseToStart(principal);
  }

  /**
   * Takes a session's principal back to the lowest label, on an operator's signed word. The session's maximum
   * starts again there; the principal's other open sessions keep theirs, because nobody vouched for them, and hold what
   * was seen in them against the principal when they are closed.
   */
  reset(session: Session): SensitivityChange {
    const before = session.sensitivity;
    this.#start?.except.add(session.principalId);
    this.#principals.get(session.principalId)?.reset();
    session.reset();
    return { before, after: session.sensitivity };
  }

  /** Whether another session of the principal needs room to be made. */
  isFull(principalId: string): boolean {
    const { maxPerPrincipal, maxSessions } = this.#options;
    return (this.#principals.get(principalId)?.sessions.size ?? 0) >= maxPerPrincipal || this.#byId.size >= maxSessions;
  }

  /** Opens a session that is reached by its handle alone. @throws CmcpError `SESSION_LIMIT_REACHED` */
  open(principalId: string): Session {
    return this.#open(this.#principal(principalId), null);
  }

  /**
   * The principal's session of that label, opened on first use; `null` is the principal's one session for
   * requests that name none. While such a session is closing it is still the one returned.
   * @throws CmcpError `SESSION_LIMIT_REACHED`, `MCP_INVALID_REQUEST` for an empty or over-long label
   */
  openByLabel(principalId: string, label: string | null): Session {
    if (label !== null && (label === "" || label.length > MAX_LABEL_LENGTH)) {
      throw new CmcpError("MCP_INVALID_REQUEST", `a session label is 1 to ${MAX_LABEL_LENGTH} characters`);
    }
    const known = this.#principals.get(principalId)?.byLabel.get(label);
    if (known !== undefined) return known;
    const principal = this.#principal(principalId);
    const session = this.#open(principal, label);
    principal.byLabel.set(label, session);
    return session;
  }

  /** The principal's open session of that label, without opening one. */
  findByLabel(principalId: string, label: string | null): Session | undefined {
    return this.#principals.get(principalId)?.byLabel.get(label);
  }

  /** The principal's session of that handle; `undefined` when there is none or it is another principal's. */
  byHandle(principalId: string, handle: string): Session | undefined {
    const session = this.#byHandle.get(handle);
    return session?.principalId === principalId ? session : undefined;
  }

  /** The principal's session of that id; `undefined` when there is none or it is another principal's. */
  byId(principalId: string, id: string): Session | undefined {
    const session = this.#byId.get(id);
    return session?.principalId === principalId ? session : undefined;
  }

  /** What the principal has seen in all its sessions, closed ones included. */
  sensitivityOf(principalId: string): string {
    return this.#principals.get(principalId)?.sensitivity ?? this.#startOf(principalId);
  }

  /** Ends a session and forgets it. Closing twice does nothing. */
  close(session: Session): void {
    if (this.#byId.get(session.id) !== session) return;
    this.#byId.delete(session.id);
    this.#byHandle.delete(session.handle);
    session.state = "closed";
    const principal = this.#principals.get(session.principalId);
    if (principal === undefined) return;
    principal.sessions.delete(session);
    // Nothing new, unless an operator reset the principal through another session since.
    principal.raise(session.ownSensitivity);
    principal.seenAt = this.#monotonic();
    if (principal.byLabel.get(session.label) === session) principal.byLabel.delete(session.label);
    this.#forgetIfBlank(principal);
  }

  #open(principal: PrincipalState, label: string | null): Session {
    const { vocabulary, newId, now } = this.#options;
    // Room is made at the principal's own expense only: nobody can push another principal's session out.
    if (this.isFull(principal.id) && !this.#evictOneOf(principal)) {
      this.#forgetIfBlank(principal);
      throw new CmcpError("SESSION_LIMIT_REACHED", "no further session can be opened");
    }
    const usedAt = this.#monotonic();
    principal.seenAt = usedAt;
    const identity = {
      usedAt,
      id: (newId ?? (() => crypto.randomUUID()))(),
      handle: newHandle(),
      label,
      openedAt: (now ?? Date.now)(),
    };
    if (this.#byId.has(identity.id)) throw new CmcpError("INTERNAL", "a session id was given out twice");
    const session = new Session(identity, principal, vocabulary);
    this.#byId.set(session.id, session);
    this.#byHandle.set(session.handle, session);
    principal.sessions.add(session);
    return session;
  }

  #principal(id: string): PrincipalState {
    const known = this.#principals.get(id);
    if (known !== undefined) return known;
    // Forgetting a principal to make room would forget what it has seen.
    if (this.#principals.size >= MAX_PRINCIPALS)
      throw new CmcpError("SESSION_LIMIT_REACHED", "no further principal can be served");
    const principal = new PrincipalState(id, this.#options.vocabulary, (raised) => this.#remember(raised));
    this.#principals.set(id, principal);
    this.#raiseToStart(principal);
    return principal;
  }

  #raiseToStart(principal: PrincipalState): void {
    principal.raise(this.#startOf(principal.id));
  }

  #startOf(principalId: string): string {
    const start = this.#start;
    if (start === null || start.except.has(principalId) || this.#monotonic() >= start.until) return LOWEST_LABEL;
    return start.label;
  }

  /** A call can end after its session was closed and its principal, having seen nothing until then, forgotten. */
  #remember(raised: PrincipalState): void {
    const known = this.#principals.get(raised.id);
    if (known === undefined) this.#principals.set(raised.id, raised);
    else if (known !== raised) known.raise(raised.sensitivity);
  }

  /** Ends the principal's least recently used session that is not in use; false when each is. */
  #evictOneOf(principal: PrincipalState): boolean {
    for (const session of principal.sessions) {
      if (session.inUse > 0 || session.state !== "open") continue;
      this.close(session);
      // Closing may have forgotten a principal that is about to be used.
      this.#principals.set(principal.id, principal);
      this.#options.evicted?.(session);
      return true;
    }
    return false;
  }

  #monotonic(): number {
    return (this.#options.monotonic ?? (() => performance.now()))();
  }

  #forgetIfBlank(principal: PrincipalState): void {
    if (principal.sessions.size === 0 && principal.sensitivity === LOWEST_LABEL) this.#principals.delete(principal.id);
  }
}
