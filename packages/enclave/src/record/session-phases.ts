import { CmcpError } from "@cmcp/boundary";

/**
 * Where a session is in its life. `faulted` ends one whose record the host cannot show; `discarded` one that nobody used.
 * A session in `unused` or `started` takes calls.
 */
export type SessionPhase = "unused" | "started" | "closing" | "ended" | "claimed" | "faulted" | "discarded";

/** What can happen to a session: its root entry, the begin of its close, `session_end`, the claim, and the two other ends. */
export type SessionEvent = "start" | "close" | "end" | "claim" | "fault" | "discard";

/** Every legal step; any other is refused and changes nothing. */
const TABLE: Readonly<Record<SessionPhase, Partial<Record<SessionEvent, SessionPhase>>>> = {
  unused: { start: "started", discard: "discarded" },
  started: { close: "closing" },
  closing: { end: "ended", fault: "faulted" },
  ended: { claim: "claimed", fault: "faulted" },
  claimed: {},
  faulted: {},
  discarded: {},
};

/** A session's current phase; moves only along the table. */
export class SessionPhases {
  #phase: SessionPhase = "unused";

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** Whether the session takes calls. */
  get takesCalls(): boolean {
    return this.#phase === "unused" || this.#phase === "started";
  }

  /** Whether the session's chain has a first entry and not its last. */
  get takesEntries(): boolean {
    return this.#phase === "started" || this.#phase === "closing";
  }

  /** Takes one step. @throws CmcpError `SESSION_CLOSED` when the table has none; the phase then stays. */
  step(event: SessionEvent): SessionPhase {
    const next = TABLE[this.#phase][event];
    if (next === undefined)
      throw new CmcpError("SESSION_CLOSED", `${event} is not legal in a session that is ${this.#phase}`);
    this.#phase = next;
    return next;
  }
}
