import { asCmcpError, CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import type { Session } from "@cmcp/session";
import { reportFault } from "../instance/stderr-events.ts";
import type { Claims } from "./claims.ts";
import type { Recorder } from "./recorder.ts";
import type { CloseAttempt, RecordedSession } from "./recorded-session.ts";
import type { Sessions } from "./sessions.ts";

/** How often idle sessions, and those that could not be closed before, are looked for, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Attempts at a close that fail for another reason than a late host; after these the session is faulted. */
export const MAX_FAILURES = 3;
/** What passes by itself: the close is attempted again for as long as it takes. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "AUDIT_STORE_UNAVAILABLE",
  "ATTESTATION_REPORT_UNAVAILABLE",
  "OVERLOADED",
]);

/** What closes are made with. */
export interface SessionCloserPorts {
  readonly sessions: Sessions;
  readonly recorder: Pick<Recorder, "writeRoot" | "ensureStarted" | "note">;
  readonly claims: Pick<Claims, "claimEnded">;
  /** Whether the host's store is late. */
  readonly journal: { readonly behind: boolean };
  readonly policyHash: () => string;
  /** Forgets what else is held for a session that is over. */
  readonly forget: (session: Session) => Promise<void> | void;
}

/** Ends sessions: no further call, those under way aborted and recorded, `session_end`, claim. */
export class SessionCloser {
  readonly #parts: SessionCloserPorts;

  constructor(parts: SessionCloserPorts) {
    this.#parts = parts;
  }

  /**
   * Closes a session; closing twice is closing once. Where that fails the session takes no calls and is due again at the next turn of the
   * sweep. While the host is only late, its principal waits for it. Otherwise the principal goes on in a new session
   * with its label kept, and after {@link MAX_FAILURES} attempts this one ends as faulted, without a claim.
   */
  close(recorded: RecordedSession): Promise<Claim> {
    if (recorded.close?.failed === false) return recorded.close.claim;
    const { phase } = recorded.lifecycle;
    if (phase === "discarded") return Promise.reject(new CmcpError("SESSION_CLOSED", "the session was never used"));
    if (phase === "faulted") return Promise.reject(faulted());
    const failures = recorded.close?.failures ?? 0;
    const claim = this.#endAndClaim(recorded).catch((thrown: unknown) => {
      this.#failed(recorded, { claim, failures }, thrown);
      throw thrown;
    });
    recorded.close = { claim, failures, failed: false };
    return claim;
  }

  /** Closes, for as long as the process lives, sessions that were idle for too long. */
  startSweeping(): void {
    setInterval(() => {
      // While the host's store is behind nothing can be closed, and what is due stays due.
      if (!this.#parts.journal.behind) this.#closeAll(this.#parts.sessions.takeDue());
    }, INTERVAL_MS).unref();
  }

  /** Begins to close what made room for other sessions. */
  closeEvicted(): void {
    this.#closeAll(this.#parts.sessions.takeEvicted());
  }

  /** Closes every session that was used. Returns how many could not be closed. */
  async closeAll(): Promise<number> {
    const used = (): RecordedSession[] =>
      this.#parts.sessions.openSessions().filter(({ lifecycle }) => lifecycle.phase !== "unused");
    // One that fails stays open, and is counted below.
    await Promise.allSettled(used().map((recorded) => this.close(recorded)));
    return used().length + this.#parts.sessions.faultedCount;
  }

  #closeAll(sessions: readonly RecordedSession[]): void {
    for (const recorded of sessions) this.close(recorded).catch(reportFault);
  }

  async #endAndClaim(recorded: RecordedSession): Promise<Claim> {
    const { sessions, recorder, claims, policyHash } = this.#parts;
    if (recorded.lifecycle.phase === "unused") recorder.writeRoot(recorded);
    if (recorded.lifecycle.phase === "started") recorded.lifecycle.step("close");
    await recorded.abortCalls();
    await recorder.ensureStarted(recorded);
    if (recorded.lifecycle.phase === "closing") {
      const { stored } = recorder.note(recorded, {
        entry_type: "session_end",
        session_sensitivity_after: recorded.session.sensitivity,
        detail: { policy_hash: policyHash() },
      });
      recorded.lifecycle.step("end");
      await stored;
    }
    const claim = await claims.claimEnded(recorded);
    recorded.lifecycle.step("claim");
    sessions.recordClosed(recorded, claim);
    await this.#parts.forget(recorded.session);
    return claim;
  }

  #failed(recorded: RecordedSession, { claim, failures }: Omit<CloseAttempt, "failed">, thrown: unknown): void {
    const { sessions, forget } = this.#parts;
    const passing = PASSING.has(asCmcpError(thrown, "INTERNAL", "the session could not be closed").code);
    recorded.close = { claim, failed: true, failures: failures + (passing ? 0 : 1) };
    if (!passing) sessions.release(recorded);
    if (recorded.close.failures < MAX_FAILURES) {
      sessions.scheduleClose(recorded);
      return;
    }
    recorded.lifecycle.step("fault");
    sessions.recordFaulted(recorded);
    Promise.resolve(forget(recorded.session)).catch(reportFault);
  }
}

/** What is answered about a session that ended without a claim. */
export function faulted(): CmcpError {
  return new CmcpError(
    "AUDIT_STORE_MISMATCH",
    "the session ended without a claim: the host's audit store does not hold its record",
  );
}
