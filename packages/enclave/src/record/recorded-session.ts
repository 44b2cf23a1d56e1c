import { CmcpError } from "@cmcp/boundary";
import type { SessionChain } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { AbortScope } from "@cmcp/mcp";
import type { Session } from "@cmcp/session";
import { SessionPhases } from "./session-phases.ts";

/** A session together with its hash chain and the calls that are under way in it. */
export class RecordedSession {
  readonly session: Session;
  readonly chain: SessionChain;
  /** What the root entry says of the caller the session was made for. */
  readonly openedBy: Readonly<Record<string, string>>;
  readonly lifecycle = new SessionPhases();
  /** Resolves once the host holds `session_start`; the entry is made on first use so that idle sessions leave no trace. */
  rootStored: Promise<unknown> | null = null;
  /** Resolves once the host holds every entry of the chain so far, or has been asked in vain. */
  stored: Promise<void> = Promise.resolve();
  /** The latest claim over the open session. */
  latestClaim: Claim | null = null;
  /** The attempt at a close that is under way or has succeeded, or the last one that failed. */
  close: CloseAttempt | null = null;
  /** What of the catalog has its drift on record in this session; bounded by the catalog. */
  readonly drifted = new Set<string>();
  readonly #inFlight = new Map<AbortScope, Promise<unknown>>();

  constructor(session: Session, chain: SessionChain, openedBy: Readonly<Record<string, string>>) {
    this.session = session;
    this.chain = chain;
    this.openedBy = openedBy;
  }

  /** Runs one call; closing the session aborts it. @throws CmcpError `SESSION_CLOSED` once closing has begun. */
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

  /** Aborts the calls under way and waits until each has left its entry. */
  async abortCalls(): Promise<void> {
    for (const scope of this.#inFlight.keys()) scope.abort();
    await Promise.allSettled(this.#inFlight.values());
  }
}

/** One attempt at closing a session. */
export interface CloseAttempt {
  readonly claim: Promise<Claim>;
  /** How many attempts failed before this one for another reason than a host that is late. */
  readonly failures: number;
  readonly failed: boolean;
}
