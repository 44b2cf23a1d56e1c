import { CallGraph, type CrossBoundaryEvent } from "./call-graph.ts";
import { joinCompartments, joinLabels, LOWEST, type Compartments, type Integrity, type Label } from "./label.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** `closing` refuses new calls while running ones finish. `closed` sessions are not in the table. */
export type SessionState = "open" | "closing" | "closed";

/** The decisions of entries. */
export type CallDecision = "allow" | "redact" | "advisory_deny" | "deny" | "step_up" | "defer" | "fault";

/** How an agent's requests reach the enclave: in the clear for its host, or sealed. */
export type Channel = "plain" | "sealed";

/** The identifying values of a new session. */
export interface SessionIdentity {
  readonly channel: Channel;
  readonly endpoint: string | null;
  readonly id: string;
  readonly handle: string;
  readonly label: string | null;
  readonly openedAt: number;
  /** Milliseconds of the table's monotonic clock. */
  readonly usedAt: number;
  /** Whether it is the principal's default session, which no caller names. */
  readonly isDefault: boolean;
}

/** The principal of a session, which has the label of everything seen. */
export interface SessionPrincipal {
  readonly id: string;
  readonly label: Label;
  raise(label: Label, source: string): void;
  hasLabelsOnlyFrom(sessionId: string): boolean;
}

/** Whose integrity counts: the session's own, or that of all sessions of the principal. */
export type IntegrityScope = "session" | "principal";

/** How a session reads labels. */
export interface LabelRules {
  readonly vocabulary: Vocabulary;
  readonly integrityScope: IntegrityScope;
}

/** One session of an agent. Only the table opens and closes it. */
export class Session {
  /** UUID that names the session in the record. It is public. */
  readonly id: string;
  /** Base64url of 32 random bytes. The same principal needs it to use the session. */
  readonly handle: string;
  readonly principalId: string;
  /** A session is used over one channel only. */
  readonly channel: Channel;
  /** The workflow at whose endpoint it is used, and nowhere else; `null` for the endpoint of all. */
  readonly endpoint: string | null;
  /** The caller's name for the session, valid for its principal only; `null` for the principal's default session. */
  readonly label: string | null;
  /** Milliseconds since the epoch by the table's clock. */
  readonly openedAt: number;
  /** Whether it is the principal's default session, which no caller names. */
  readonly isDefault: boolean;
  readonly callGraph: CallGraph;
  /** Names of the tools that calls of this session reached. The catalog bounds them. */
  readonly toolsInvoked = new Set<string>();
  /** Whether arguments were compared with earlier results. */
  flowsCompared = false;
  callsAllowed = 0;
  callsDenied = 0;
  callsFaulted = 0;
  state: SessionState = "open";
  /** Number of running requests and streams. A session in use is neither expired nor evicted. */
  inUse = 0;
  /** When the session was last used, in milliseconds of the table's monotonic clock. */
  lastUsedAt: number;
  readonly #principal: SessionPrincipal;
  readonly #rules: LabelRules;
  #maximum: Compartments;
  #highest: Compartments;
  #own: Label = LOWEST;

  constructor(identity: SessionIdentity, principal: SessionPrincipal, rules: LabelRules) {
    this.id = identity.id;
    this.channel = identity.channel;
    this.endpoint = identity.endpoint;
    this.handle = identity.handle;
    this.label = identity.label;
    this.openedAt = identity.openedAt;
    this.isDefault = identity.isDefault;
    this.lastUsedAt = identity.usedAt;
    this.principalId = principal.id;
    this.callGraph = new CallGraph(rules.vocabulary);
    this.#principal = principal;
    this.#rules = rules;
    this.#maximum = principal.label.compartments;
    this.#highest = principal.label.compartments;
  }

  get callsTotal(): number {
    return this.callsAllowed + this.callsDenied + this.callsFaulted;
  }

  /** The compartments that the principal has seen in all its sessions; fixed at the close. */
  get compartments(): Compartments {
    return this.state === "closed" ? this.#maximum : this.#principal.label.compartments;
  }

  /** The compartments that {@link compartments} has had since the session was opened or last reset. */
  get maxCompartments(): Compartments {
    return this.#maximum;
  }

  /** The linear label of {@link compartments}. */
  get sensitivity(): string {
    return this.#rules.vocabulary.linear(this.compartments);
  }

  /** The highest {@link sensitivity} this session has had since it was opened or last reset. */
  get maxSensitivity(): string {
    return this.#rules.vocabulary.linear(this.#maximum);
  }

  /** The highest {@link sensitivity} this session has ever had. */
  get highestSensitivity(): string {
    return this.#rules.vocabulary.linear(this.#highest);
  }

  /**
   * `untrusted` once text of a server without trust has been delivered: in this session or, as the scope says, in any
   * of the principal's.
   */
  get integrity(): Integrity {
    return this.#rules.integrityScope === "principal" ? this.#principal.label.integrity : this.#own.integrity;
  }

  /**
   * Whether the session may call a consequential tool. An untrusted one may not. Nor may one that the caller opened beside its
   * default session, once any session of the principal is untrusted: an agent could open it to get a trusted one.
   */
  get mayCallConsequential(): boolean {
    if (this.integrity === "untrusted") return false;
    return this.isDefault || this.#principal.label.integrity === "trusted";
  }

  /** Whether all data of any compartment that the principal has seen was seen in this session. */
  get hasSeenAllLabelled(): boolean {
    return this.#principal.hasLabelsOnlyFrom(this.id);
  }

  /** What has been seen in this session itself, since it was opened or last reset. */
  get own(): Label {
    return this.#own;
  }

  /** Forgets what was seen here, before a reset of the principal. Called by the table. */
  forget(): void {
    this.#own = LOWEST;
  }

  /** Resets the maximum after a reset of the principal. Called by the table. */
  reset(): void {
    this.#maximum = this.#principal.label.compartments;
  }

  get domainsTouched(): ReadonlySet<string> {
    return this.callGraph.domainsTouched;
  }

  get crossBoundaryEvents(): readonly CrossBoundaryEvent[] {
    return this.callGraph.events;
  }

  /** Raises the maximum to the principal's compartments. Called whenever those rise. */
  syncWithPrincipal(): void {
    this.#maximum = joinCompartments(this.#maximum, this.#principal.label.compartments);
    this.#highest = joinCompartments(this.#highest, this.#principal.label.compartments);
  }

  /** Raises session and principal to the label of data that is about to be delivered. */
  raise(label: Label): void {
    this.#own = joinLabels(this.#own, label);
    this.#principal.raise(label, this.id);
    // The principal does not raise a session that is out of the table.
    this.syncWithPrincipal();
  }
}
