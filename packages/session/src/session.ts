import { CallGraph, type CrossBoundaryEvent } from "./call-graph.ts";
import { LOWEST_LABEL, type Vocabulary } from "./vocabulary.ts";

/** `closing` refuses further calls while those under way finish; `closed` is out of the table for good. */
export type SessionState = "open" | "closing" | "closed";

/** Decisions a call can end with. */
export type CallDecision = "allow" | "redact" | "advisory_deny" | "deny" | "step_up" | "defer" | "fault";

/** What identifies a session when it is made. */
export interface SessionIdentity {
  readonly id: string;
  readonly handle: string;
  readonly label: string | null;
  readonly openedAt: number;
  /** Milliseconds of the table's monotonic clock. */
  readonly usedAt: number;
}

/** Whose session it is: the sensitivity is theirs. */
export interface SessionPrincipal {
  readonly id: string;
  readonly sensitivity: string;
  raise(label: string): void;
}

/** One agent session. Made and ended by the table only. */
export class Session {
  /** UUID; public, names the session in records. */
  readonly id: string;
  /** Base64url of 32 random bytes; whoever holds it and is the same principal may use the session. */
  readonly handle: string;
  readonly principalId: string;
  /** The caller's own name for the session, meaningless to any other principal; `null` for the principal's one session. */
  readonly label: string | null;
  /** Milliseconds since the epoch by the table's clock. */
  readonly openedAt: number;
  readonly callGraph: CallGraph;
  /** Names of tools that a call of this session reached. Bounded by the catalog: unknown tools are never reached. */
  readonly toolsInvoked = new Set<string>();
  callsAllowed = 0;
  callsDenied = 0;
  callsFaulted = 0;
  state: SessionState = "open";
  /** Requests under way; a session in use is neither expired nor evicted. */
  inUse = 0;
  /** When the session was last used, in milliseconds of the table's monotonic clock. */
  lastUsedAt: number;
  readonly #principal: SessionPrincipal;
  readonly #vocabulary: Vocabulary;
  #maxSensitivity: string;
  #highestSensitivity: string;
  #ownSensitivity: string = LOWEST_LABEL;

  constructor(identity: SessionIdentity, principal: SessionPrincipal, vocabulary: Vocabulary) {
    this.id = identity.id;
    this.handle = identity.handle;
    this.label = identity.label;
    this.openedAt = identity.openedAt;
    this.lastUsedAt = identity.usedAt;
    this.principalId = principal.id;
    this.callGraph = new CallGraph(vocabulary);
    this.#principal = principal;
    this.#vocabulary = vocabulary;
    this.#maxSensitivity = principal.sensitivity;
    this.#highestSensitivity = principal.sensitivity;
  }

  get callsTotal(): number {
    return this.callsAllowed + this.callsDenied + this.callsFaulted;
  }

  /** What the principal has seen, in this or any other of its sessions; frozen at close. */
  get sensitivity(): string {
    return this.state === "closed" ? this.#maxSensitivity : this.#principal.sensitivity;
  }

  /** The highest {@link sensitivity} this session has had since it was opened or last reset. */
  get maxSensitivity(): string {
    return this.#maxSensitivity;
  }

  /** The highest {@link sensitivity} this session has ever had. */
  get highestSensitivity(): string {
    return this.#highestSensitivity;
  }

  /** The highest label of what was seen in this session itself since it was opened or last reset, whatever its principal saw elsewhere. */
  get ownSensitivity(): string {
    return this.#ownSensitivity;
  }

  /** Forgets the maximum, once the principal's own has been reset. Called by the table. */
  reset(): void {
    this.#ownSensitivity = LOWEST_LABEL;
    this.#maxSensitivity = this.#principal.sensitivity;
  }

  get domainsTouched(): ReadonlySet<string> {
    return this.callGraph.domainsTouched;
  }

  get crossBoundaryEvents(): readonly CrossBoundaryEvent[] {
    return this.callGraph.events;
  }

  /** Takes over the principal's sensitivity. Called by the principal's state whenever that rises. */
  syncWithPrincipal(): void {
    this.#maxSensitivity = this.#vocabulary.max(this.#maxSensitivity, this.#principal.sensitivity);
    this.#highestSensitivity = this.#vocabulary.max(this.#highestSensitivity, this.#principal.sensitivity);
  }

  /** Notes what is seen in this session, which raises the principal's sensitivity; it never falls this way. @throws CmcpError `INTERNAL` for an unknown label */
  raise(label: string): void {
    this.#ownSensitivity = this.#vocabulary.max(this.#ownSensitivity, label);
    this.#principal.raise(label);
    // A session that has left the table no longer follows by itself.
    this.syncWithPrincipal();
  }
}
