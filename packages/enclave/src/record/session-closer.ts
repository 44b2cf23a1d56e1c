import { SUCCESSOR_SESSION } from "@cmcp/audit";
import { asCmcpError, CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import type { Session } from "@cmcp/session";
import { Admission } from "../access/admission.ts";
import { reportFault } from "../instance/stderr-events.ts";
import type { Claims } from "./claims.ts";
import type { Recorder } from "./recorder.ts";
import type { CloseAttempt, RecordedSession } from "./recorded-session.ts";
import type { Sessions } from "./sessions.ts";

/** How often idle and unclosed sessions are looked for, in milliseconds. */
const INTERVAL_MS = 1_000;
/**
 * Most sessions that a sweep, or a stop, has under way at one time: their running calls are aborted, and their ends are
 * written in turn.
 */
const MAX_CLOSING = 16;
/**
 * Most sessions whose end is written and claimed at one time, whoever closes them. What the enclave and its host do for one
 * more stands before the calls that arrive meanwhile. Principals share the places.
 */
const MAX_ENDING = 4;
/** How long a stop waits for a host that is late with a record, and how often it looks, in milliseconds. */
const LATE_MS = 10_000;
const LOOK_MS = 100;
const NEVER = new AbortController().signal;
/** Failed attempts after which a session is faulted. Attempts that fail with a transient error do not count. */
export const MAX_FAILURES = 3;
/** Transient errors. The close is attempted again until it succeeds. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  "AUDIT_STORE_UNAVAILABLE",
  "ATTESTATION_REPORT_UNAVAILABLE",
  "OVERLOADED",
]);

/** What closing sessions needs. */
export interface SessionCloserPorts {
  readonly sessions: Sessions;
  readonly recorder: Pick<Recorder, "writeRoot" | "ensureStarted" | "note">;
  readonly claims: Pick<Claims, "claimEnded">;
  /** Whether the host is late with a record. */
  readonly journal: { readonly behind: boolean };
  readonly policyHash: () => string;
  /** Drops the session's data in other rooms. */
  readonly forget: (session: Session) => Promise<void> | void;
}

/** Closes sessions: refuses new calls, aborts and records running ones, writes `session_end`, makes the claim. */
export class SessionCloser {
  readonly #parts: SessionCloserPorts;
  readonly #ending = new Admission({ maxRunning: MAX_ENDING, maxPerPrincipal: Number.POSITIVE_INFINITY });
  #sweeping = false;

  constructor(parts: SessionCloserPorts) {
    this.#parts = parts;
  }

  /**
   * Closes a session. A second close returns the same claim. If closing fails, the session refuses calls and the sweep tries again. After a
   * transient error the principal waits for the close. Otherwise it can open a new session at once, at the same sensitivity. After
   * {@link MAX_FAILURES} attempts the session ends as faulted, without a claim.
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

  /**
   * Ends a session that is full. Its running calls finish, and it is closed. The next call by its handle or label goes on
   * in another one, which names it in its first entry and has its labels.
   */
  retire(recorded: RecordedSession): void {
    const { sessions, recorder } = this.#parts;
    if (recorded.lifecycle.phase !== "started") return;
    recorded.lifecycle.step("close");
    const next = sessions.succeed(recorded);
    if (next !== null) recorder.writeRoot(next);
    recorded
      .callsDone()
      .then(() => this.close(recorded))
      .catch(reportFault);
  }

  /** Closes idle sessions until the process ends. */
  startSweeping(): void {
    setInterval(() => {
      // While the host is late no session can be closed.
      if (!this.#parts.journal.behind && !this.#sweeping) void this.#sweep();
    }, INTERVAL_MS).unref();
  }

  /** Starts closing evicted sessions. */
  closeEvicted(): void {
    for (const recorded of this.#parts.sessions.takeEvicted()) this.close(recorded).catch(reportFault);
  }

  /**
   * Closes every session that was used, the oldest first, for as long as it takes: those that fail are tried again while others succeed.
   * @param closing called with how many are open, before the first and after each
   * @returns how many could not be closed
   */
  async closeAll(closing: (open: number) => void = () => undefined): Promise<number> {
    const used = (): RecordedSession[] =>
      this.#parts.sessions.openSessions().filter(({ lifecycle }) => lifecycle.phase !== "unused");
    for (let [open, before] = [used(), Number.POSITIVE_INFINITY]; open.length > 0 && open.length < before; ) {
      let left = open.length;
      closing(left);
      before = open.length;
      await this.#closeEach(open, (failure) => {
        if (failure === null) closing((left -= 1));
      });
      await this.#hostCaughtUp();
      open = used();
    }
    return used().length + this.#parts.sessions.faultedCount;
  }

  /** Waits while the host is late, for a limited time. */
  async #hostCaughtUp(): Promise<void> {
    for (let waited = 0; this.#parts.journal.behind && waited < LATE_MS; waited += LOOK_MS)
      await new Promise((resolve) => void setTimeout(resolve, LOOK_MS));
  }

  async #sweep(): Promise<void> {
    this.#sweeping = true;
    await this.#closeEach(this.#parts.sessions.takeDue(), (failure) => {
      if (failure !== null) reportFault(failure.thrown);
    });
    this.#sweeping = false;
  }

  /** Closes sessions in order, a bounded number at one time. A session that fails stays open, and so do all once the host is late. */
  async #closeEach(
    sessions: readonly RecordedSession[],
    ended: (failure: { readonly thrown: unknown } | null) => void,
  ): Promise<void> {
    const next = sessions.values();
    const closeNext = async (): Promise<void> => {
      for (const recorded of next) {
        if (this.#parts.journal.behind) this.#parts.sessions.scheduleClose(recorded);
        else
          await this.close(recorded).then(
            () => ended(null),
            (thrown: unknown) => ended({ thrown }),
          );
      }
    };
    await Promise.all(Array.from({ length: MAX_CLOSING }, closeNext));
  }

  async #endAndClaim(recorded: RecordedSession): Promise<Claim> {
    const { recorder } = this.#parts;
    if (recorded.lifecycle.phase === "unused") recorder.writeRoot(recorded);
    if (recorded.lifecycle.phase === "started") recorded.lifecycle.step("close");
    await recorded.abortCalls();
    await recorder.ensureStarted(recorded);
    return await this.#ending.run(recorded.session.principalId, NEVER, () => this.#writeEnd(recorded));
  }

  /** Writes the session's last entry and its claim. */
  async #writeEnd(recorded: RecordedSession): Promise<Claim> {
    const { sessions, recorder, claims, policyHash } = this.#parts;
    if (recorded.lifecycle.phase === "closing") {
      const { stored } = recorder.note(recorded, {
        entry_type: "session_end",
        session_sensitivity_after: recorded.session.sensitivity,
        detail: {
          policy_hash: policyHash(),
          ...(recorded.successor === null ? {} : { [SUCCESSOR_SESSION]: recorded.successor }),
        },
      });
      recorded.lifecycle.step("end");
      await stored;
    }
    const claim = await claims.claimEnded(recorded);
    recorded.lifecycle.step("claim");
    if (sessions.recordClosed(recorded, claim)) await this.#parts.forget(recorded.session);
    return claim;
  }

  #failed(recorded: RecordedSession, { claim, failures }: Omit<CloseAttempt, "failed">, thrown: unknown): void {
    const { sessions, forget } = this.#parts;
    const transient = TRANSIENT.has(asCmcpError(thrown, "INTERNAL", "the session could not be closed").code);
    recorded.close = { claim, failed: true, failures: failures + (transient ? 0 : 1) };
    if (!transient) sessions.release(recorded);
    if (recorded.close.failures < MAX_FAILURES) {
      sessions.scheduleClose(recorded);
      return;
    }
    recorded.lifecycle.step("fault");
    if (sessions.recordFaulted(recorded)) Promise.resolve(forget(recorded.session)).catch(reportFault);
  }
}

/** The error for a session that ended without a claim. */
export function faulted(): CmcpError {
  return new CmcpError(
    "AUDIT_STORE_MISMATCH",
    "the session ended without a claim: the host's audit store does not hold its record",
  );
}
