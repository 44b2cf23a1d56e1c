import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { LOWEST, type Label } from "./label.ts";
import { placeOf, PrincipalState } from "./principal.ts";
import type { SensitivityChange } from "./record.ts";
import { Session, type Channel, type IntegrityScope } from "./session.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Random bytes in a session handle: 256 bits. */
export const HANDLE_BYTES = 32;
/** Longest session label a caller may choose, in UTF-16 units. */
export const MAX_LABEL_LENGTH = 256;
/** Most principals in the table. */
export const MAX_PRINCIPALS = 100_000;

/** Limits and clocks of a {@link SessionTable}. */
export interface SessionTableOptions {
  readonly vocabulary: Vocabulary;
  /** Whose integrity counts; `session` by default. */
  readonly integrityScope?: IntegrityScope;
  /**
   * Whether a principal that has seen nothing but public data is remembered for being untrusted. Needed where something depends
   * on it: under the scope `principal`, or where a tool is consequential.
   */
  readonly keepsUntrusted?: boolean;
  /** Most sessions in all. */
  readonly maxSessions: number;
  /** Most sessions of one principal. */
  readonly maxPerPrincipal: number;
  /** Milliseconds without use after which a session expires. */
  readonly idleMs: number;
  /** Milliseconds for which a principal's label outlives its last session. */
  readonly floorMs: number;
  /** Called for a session that was evicted for another of its principal. It is already out of the table. */
  readonly evicted?: (session: Session) => void;
  /** Monotonic milliseconds for idle times, because the host controls wall time. */
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
 * The sessions of one gateway instance. Sessions of another principal look like sessions that do not exist. Of a closed session only the
 * principal's label stays, if it is above the lowest.
 */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #byHandle = new Map<string, Session>();
  readonly #byId = new Map<string, Session>();
  readonly #principals = new Map<string, PrincipalState>();
  /** The start label of unknown principals, and the principals it does not apply to. */
  #start: { readonly label: Label; readonly until: number; readonly except: Set<string> } | null = null;

  constructor(options: SessionTableOptions) {
    this.#options = options;
  }

  /** Number of sessions in the table. */
  get size(): number {
    return this.#byId.size;
  }

  /** Number of principals in the table. */
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

  /**
   * The sessions that were not used for the idle time, oldest first. The caller closes them. Also drops principals whose
   * floor time is over.
   */
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

  /** Raises a principal to the label that an earlier instance recorded. */
  restoreFloor(principalId: string, label: Label): void {
    this.#principal(principalId).raise(label, null);
  }

  /**
   * Raises every principal but those named to a label, now and when they first appear, for the floor time. It is used when the records of
   * earlier instances are incomplete.
   */
  restoreStart(label: Label, except: ReadonlySet<string>): void {
    this.#start = { label, until: this.#monotonic() + this.#options.floorMs, except: new Set(except) };
    for (const principal of this.#principals.values()) this.#raiseToStart(principal);
  }

  /**
   * Resets a session's principal to the lowest label, as an operator's signed statement says, and also what the session
   * has seen. Other open sessions of the principal are not covered by the statement: they keep theirs, and raise the
   * principal again when they close.
   */
  reset(session: Session): SensitivityChange {
    const before = session.sensitivity;
    this.#start?.except.add(session.principalId);
    session.forget();
    this.#principals.get(session.principalId)?.reset();
    session.reset();
    return { before, after: session.sensitivity };
  }

  /** Whether a session must be evicted before the principal can open another. */
  isFull(principalId: string): boolean {
    const { maxPerPrincipal, maxSessions } = this.#options;
    return (this.#principals.get(principalId)?.sessions.size ?? 0) >= maxPerPrincipal || this.#byId.size >= maxSessions;
  }

  /** Opens a session without a label, which is found by its handle. @throws CmcpError `SESSION_LIMIT_REACHED` */
  open(principalId: string, channel: Channel = "plain", endpoint: string | null = null): Session {
    return this.#open(this.#principal(principalId), { channel, endpoint, label: null, isDefault: false });
  }

  /**
   * The principal's session of a label, channel and endpoint, opened on first use. `null` is the principal's default session. A
   * session that is closing is still returned.
   * @throws CmcpError `SESSION_LIMIT_REACHED`, `MCP_INVALID_REQUEST` for an empty or over-long label
   */
  openByLabel(
    principalId: string,
    label: string | null,
    channel: Channel = "plain",
    endpoint: string | null = null,
  ): Session {
    if (label !== null && (label === "" || label.length > MAX_LABEL_LENGTH)) {
      throw new CmcpError("MCP_INVALID_REQUEST", `a session label is 1 to ${MAX_LABEL_LENGTH} characters`);
    }
    const known = this.findByLabel(principalId, label, channel, endpoint);
    if (known !== undefined) return known;
    const principal = this.#principal(principalId);
    const session = this.#open(principal, { channel, endpoint, label, isDefault: label === null });
    principal.byLabel.set(placeOf(session), session);
    return session;
  }

  /** The principal's session of a label, channel and endpoint. It never opens one. */
  findByLabel(
    principalId: string,
    label: string | null,
    channel: Channel = "plain",
    endpoint: string | null = null,
  ): Session | undefined {
    return this.#principals.get(principalId)?.byLabel.get(placeOf({ channel, endpoint, label }));
  }

  /** The principal's session of a handle; `undefined` if there is none, or it is of another principal or channel. */
  byHandle(principalId: string, handle: string, channel: Channel = "plain"): Session | undefined {
    const session = this.#byHandle.get(handle);
    return session?.principalId === principalId && session.channel === channel ? session : undefined;
  }

  /** The principal's session of an id; `undefined` if there is none, or it belongs to another principal. */
  byId(principalId: string, id: string): Session | undefined {
    const session = this.#byId.get(id);
    return session?.principalId === principalId ? session : undefined;
  }

  /** What the principal has seen in all its sessions, including closed ones. */
  labelOf(principalId: string): Label {
    return this.#principals.get(principalId)?.label ?? this.#startOf(principalId);
  }

  /** Closes a session and removes it. A second close does nothing. */
  close(session: Session): void {
    if (this.#byId.get(session.id) !== session) return;
    this.#byId.delete(session.id);
    this.#byHandle.delete(session.handle);
    session.state = "closed";
    const principal = this.#principals.get(session.principalId);
    if (principal === undefined) return;
    principal.sessions.delete(session);
    // This changes something only after a reset through another session.
    principal.raise(session.own, session.id);
    principal.seenAt = this.#monotonic();
    const place = placeOf(session);
    if (principal.byLabel.get(place) === session) principal.byLabel.delete(place);
    this.#forgetIfBlank(principal);
  }

  #open(principal: PrincipalState, named: Pick<Session, "channel" | "endpoint" | "label" | "isDefault">): Session {
    const { vocabulary, integrityScope = "session", newId, now } = this.#options;
    // Only the principal's own sessions are evicted.
    if (this.isFull(principal.id) && !this.#evictOneOf(principal)) {
      this.#forgetIfBlank(principal);
      throw new CmcpError("SESSION_LIMIT_REACHED", "no further session can be opened; close one first");
    }
    const usedAt = this.#monotonic();
    principal.seenAt = usedAt;
    const identity = {
      usedAt,
      id: (newId ?? (() => crypto.randomUUID()))(),
      handle: newHandle(),
      ...named,
      openedAt: (now ?? Date.now)(),
    };
    if (this.#byId.has(identity.id)) throw new CmcpError("INTERNAL", "duplicate session id");
    const session = new Session(identity, principal, { vocabulary, integrityScope });
    this.#byId.set(session.id, session);
    this.#byHandle.set(session.handle, session);
    principal.sessions.add(session);
    return session;
  }

  #principal(id: string): PrincipalState {
    const known = this.#principals.get(id);
    if (known !== undefined) return known;
    // Dropping a principal to make room would drop its label.
    if (this.#principals.size >= MAX_PRINCIPALS)
      throw new CmcpError(
        "SESSION_LIMIT_REACHED",
        `at most ${MAX_PRINCIPALS} principals can be served; try again later`,
      );
    const principal = new PrincipalState(id, (raised) => this.#remember(raised));
    this.#principals.set(id, principal);
    this.#raiseToStart(principal);
    return principal;
  }

  #raiseToStart(principal: PrincipalState): void {
    principal.raise(this.#startOf(principal.id), null);
  }

  #startOf(principalId: string): Label {
    const start = this.#start;
    if (start === null || start.except.has(principalId) || this.#monotonic() >= start.until) return LOWEST;
    return start.label;
  }

  /** Adds a dropped principal again. Its last call can end after its session was closed. */
  #remember(raised: PrincipalState): void {
    const known = this.#principals.get(raised.id);
    if (known === undefined) this.#principals.set(raised.id, raised);
    else if (known !== raised) known.raise(raised.label, null);
  }

  /** Evicts the principal's least recently used session that is not in use. @returns false if all are in use */
  #evictOneOf(principal: PrincipalState): boolean {
    for (const session of principal.sessions) {
      if (session.inUse > 0 || session.state !== "open") continue;
      this.close(session);
      // Closing may have dropped the principal, which opens a session next.
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
    const { compartments, integrity } = principal.label;
    const isBlank = compartments.length === 0 && (integrity === "trusted" || this.#options.keepsUntrusted !== true);
    if (principal.sessions.size === 0 && isBlank) this.#principals.delete(principal.id);
  }
}
