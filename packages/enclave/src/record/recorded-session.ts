import { CmcpError } from "@cmcp/boundary";
import type { SessionChain } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { AbortScope } from "@cmcp/mcp";
import type { Session } from "@cmcp/session";
import { FlowMemory, SessionFlows } from "./session-flows.ts";
import { SessionPhases } from "./session-phases.ts";

/** A session with its hash chain and its running calls. */
export class RecordedSession {
  readonly session: Session;
  readonly chain: SessionChain;
  /** The caller that opened the session, for the root entry. */
  readonly openedBy: Readonly<Record<string, string>>;
  readonly lifecycle = new SessionPhases();
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
  /** What the agent was handed, for finding it in later calls. */
  readonly flows: SessionFlows;
  readonly #inFlight = new Map<AbortScope, Promise<unknown>>();

  constructor(
    session: Session,
    chain: SessionChain,
    openedBy: Readonly<Record<string, string>>,
    flowMemory: FlowMemory = new FlowMemory(),
  ) {
    this.flows = new SessionFlows(flowMemory, session.principalId);
    this.session = session;
    this.chain = chain;
    this.openedBy = openedBy;
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
