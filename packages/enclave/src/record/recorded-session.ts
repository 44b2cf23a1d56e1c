import { CmcpError } from "@cmcp/boundary";
import type { Auditor, SessionChain } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { AbortScope } from "@cmcp/mcp";
import type { Session } from "@cmcp/session";
import { SessionCommitments } from "./session-commitments.ts";
import { FlowMemory, SessionFlows } from "./session-flows.ts";
import { SessionFold } from "./session-fold.ts";
import { SessionPhases } from "./session-phases.ts";
import type { SessionManifest } from "../access/manifests.ts";

/**
 * Entries that a chain has room for when its session takes no further call: those of running calls, and what else is
 * recorded until it has ended.
 */
const RESERVED_ENTRIES = 1_024;

/** What a session has from elsewhere. */
export interface SessionParts {
  readonly flows?: SessionFlows;
  /** Who can open the session's commitments. */
  readonly auditors?: readonly Auditor[];
  /** The agent manifest that it is opened under; `null` where the configuration asks for none. */
  readonly manifest?: SessionManifest | null;
}

/**
 * A session with its hash chain and its running calls. What an agent uses by one handle or label is one {@link Session};
 * when its chain is full, another one of these goes on for it.
 */
export class RecordedSession {
  readonly session: Session;
  readonly chain: SessionChain;
  /** The caller that opened the session, for the root entry. */
  readonly openedBy: Readonly<Record<string, string>>;
  /** The agent manifest that the session was opened under; `null` where the configuration asks for none. */
  readonly manifest: SessionManifest | null;
  readonly lifecycle = new SessionPhases();
  /** What claims say of the entries so far. */
  readonly fold = new SessionFold();
  /** What calls that begin now commit to payloads with. */
  commitments: SessionCommitments;
  /** Whether the chain has an entry that the host's store will never hold. */
  hasLostEntry = false;
  /** Resolves once the host has stored `session_start`. The entry is written on first use, so that unused sessions leave no record. */
  rootStored: Promise<unknown> | null = null;
  /** Resolves once the host has stored every entry so far, or storing one has failed. */
  stored: Promise<void> = Promise.resolve();
  /** The latest claim over the open session. */
  latestClaim: Claim | null = null;
  /** The latest attempt at a close; `null` before the first. */
  close: CloseAttempt | null = null;
  /** Targets whose drift is recorded in this session. The catalog bounds their number. */
  readonly drifted = new Set<string>();
  /** What the agent was handed, for finding it in later calls. The session that goes on for a full one has the same. */
  readonly flows: SessionFlows;
  /** The session that goes on for this one, which is full; `null` without one. */
  successor: string | null = null;
  readonly #auditors: readonly Auditor[];
  readonly #inFlight = new Map<AbortScope, Promise<unknown>>();

  constructor(
    session: Session,
    chain: SessionChain,
    openedBy: Readonly<Record<string, string>>,
    {
      flows = new SessionFlows(new FlowMemory(), session.principalId),
      auditors = [],
      manifest = null,
    }: SessionParts = {},
  ) {
    this.manifest = manifest;
    this.flows = flows;
    this.#auditors = auditors;
    this.commitments = new SessionCommitments(chain.sessionId, auditors);
    this.session = session;
    this.chain = chain;
    this.openedBy = openedBy;
  }

  /** The session's name in the record: entries that are written now belong to it. */
  get id(): string {
    return this.chain.sessionId;
  }

  /** Gives the calls of the successor that a reset has named a key of their own. Those that run keep theirs. */
  renewCommitments(): void {
    this.commitments = new SessionCommitments(this.id, this.#auditors);
  }

  /** Whether chain and claim have no room for further calls. */
  get isFull(): boolean {
    return this.chain.room < RESERVED_ENTRIES || this.fold.isFull;
  }

  /** Runs one call. Closing the session aborts it. @throws CmcpError `SESSION_CLOSED` once the close has begun */
  async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (!this.lifecycle.takesCalls) throw new CmcpError("SESSION_CLOSED", "the session is closed");
    const scope = new AbortScope(signal);
    const task = work(scope.signal);
    this.#inFlight.set(scope, task);
    this.session.inUse += 1;
    try {
      return await task;
    } finally {
      this.session.inUse -= 1;
      this.#inFlight.delete(scope);
      scope.release();
    }
  }

  /** Resolves when the calls that run now have ended. */
  async callsUnderWay(): Promise<void> {
    await Promise.allSettled(this.#inFlight.values());
  }

  /** Resolves when no call runs. */
  async callsDone(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight.values());
  }

  /** Aborts the running calls, and waits until each has its entry. */
  async abortCalls(): Promise<void> {
    for (const scope of this.#inFlight.keys()) scope.abort();
    await Promise.allSettled(this.#inFlight.values());
  }
}

/** One attempt at closing a session. */
export interface CloseAttempt {
  readonly claim: Promise<Claim>;
  /** Earlier attempts that failed with an error that is not transient. */
  readonly failures: number;
  readonly failed: boolean;
}
