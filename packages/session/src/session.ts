import { CallGraph, type CrossBoundaryEvent } from "./call-graph.ts";
import { LOWEST_LABEL, type Vocabulary } from "./vocabulary.ts";

/** `closing` refuses new calls while running ones finish. `closed` sessions are not in the table. */
export type SessionState = "open" | "closing" | "closed";

/** The decisions of entries. */
export type CallDecision = "allow" | "redact" | "advisory_deny" | "deny" | "step_up" | "defer" | "fault";

/** The identifying values of a new session. */
export interface SessionIdentity {
  readonly id: string;
  readonly handle: string;
  readonly label: string | null;
  readonly openedAt: number;
  /** Milliseconds of the table's monotonic clock. */
  readonly usedAt: number;
}

/** The principal of a session, which has the sensitivity. */
export interface SessionPrincipal {
  readonly id: string;
  readonly sensitivity: string;
  raise(label: string): void;
}

/** One session of an agent. Only the table opens and closes it. */
export class Session {
  /** UUID that names the session in the record. It is public. */
  readonly id: string;
  /** Base64url of 32 random bytes. The same principal needs it to use the session. */
  readonly handle: string;
  readonly principalId: string;
  /** The caller's name for the session, valid for its principal only; `null` for the principal's default session. */
  readonly label: string | null;
  /** Milliseconds since the epoch by the table's clock. */
  readonly openedAt: number;
  readonly callGraph: CallGraph;
  /** Names of the tools that calls of this session reached. The catalog bounds them. */
  readonly toolsInvoked = new Set<string>();
  callsAllowed = 0;
  callsDenied = 0;
  callsFaulted = 0;
  state: SessionState = "open";
  /** Number of running requests and streams. A session in use is neither expired nor evicted. */
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

  /** The principal's sensitivity, over all its sessions; fixed at the close. */
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

  /** The highest label of the data seen in this session itself, since it was opened or last reset. */
  get ownSensitivity(): string {
    return this.#ownSensitivity;
  }

  /** Resets the maximum after a reset of the principal. Called by the table. */
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

  /** Raises the maximum to the principal's sensitivity. Called whenever that rises. */
  syncWithPrincipal(): void {
    this.#maxSensitivity = this.#vocabulary.max(this.#maxSensitivity, this.#principal.sensitivity);
    this.#highestSensitivity = this.#vocabulary.max(this.#highestSensitivity, this.#principal.sensitivity);
  }

  /** Raises the sensitivity of session and principal. @throws CmcpError `INTERNAL` for an unknown label */
  raise(label: string): void {
    this.#ownSensitivity = this.#vocabulary.max(this.#ownSensitivity, label);
    this.#principal.raise(label);
    // The principal does not raise a session that is out of the table.
    this.syncWithPrincipal();
  }
}
