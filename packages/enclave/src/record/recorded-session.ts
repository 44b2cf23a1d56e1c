import { CmcpError } from "@cmcp/boundary";
import type { SessionChain } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { AbortScope } from "@cmcp/mcp";
import type { Session } from "@cmcp/session";

/** A session together with its hash chain and the calls that are under way in it. */
export class RecordedSession {
  readonly session: Session;
  readonly chain: SessionChain;
  /** What the root entry says of the caller the session was made for. */
  readonly openedBy: Readonly<Record<string, string>>;
  /** Resolves once `session_start` is in the host's store; made on first use so that idle sessions leave no trace. */
  started: Promise<unknown> | null = null;
  /** Resolves once the host holds every entry of the chain so far, or has been asked in vain. */
  stored: Promise<void> = Promise.resolve();
  /** The latest claim over the open session. */
  claimSoFar: Claim | null = null;
  /** True once `session_end` is in the chain. */
  ended = false;
  /** The close under way, so that closing twice is closing once; one that failed until the next begins. From the first on the session takes no calls. */
  closing: Promise<Claim> | null = null;
  /** Whether {@link closing} has failed, so that another may begin. */
  closeFailed = false;
  /** What of the catalog has its drift on record in this session; bounded by the catalog. */
  readonly drifted = new Set<string>();
  readonly #inFlight = new Map<AbortScope, Promise<unknown>>();
  #quiet = false;

  constructor(session: Session, chain: SessionChain, openedBy: Readonly<Record<string, string>>) {
    this.session = session;
    this.chain = chain;
    this.openedBy = openedBy;
  }

  /** Runs one call; closing the session aborts it. @throws CmcpError `SESSION_CLOSED` once closing has begun. */
  async run<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#quiet) throw new CmcpError("SESSION_CLOSED", "the session is closed");
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

  /** Refuses further calls, aborts those under way and waits until each has left its entry. */
  async quiesce(): Promise<void> {
    this.#quiet = true;
    for (const scope of this.#inFlight.keys()) scope.abort();
    await Promise.allSettled(this.#inFlight.values());
  }
}
