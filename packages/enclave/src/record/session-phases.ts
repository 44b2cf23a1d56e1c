import { CmcpError } from "@cmcp/boundary";

/**
 * The phase of a session. `unused` and `started` take calls. `faulted` is the end of a session whose record the host does not show,
 * `discarded` the end of one that was never used.
 */
export type SessionPhase = "unused" | "started" | "closing" | "ended" | "claimed" | "faulted" | "discarded";

/**
 * What can happen to a session: `start` writes the root entry, `close` begins the close, `end` writes `session_end`,
 * `claim` stores the claim.
 */
export type SessionEvent = "start" | "close" | "end" | "claim" | "fault" | "discard";

/** Every legal step. Any other is refused and changes nothing. */
const TABLE: Readonly<Record<SessionPhase, Partial<Record<SessionEvent, SessionPhase>>>> = {
  unused: { start: "started", discard: "discarded" },
  started: { close: "closing" },
  closing: { end: "ended", fault: "faulted" },
  ended: { claim: "claimed", fault: "faulted" },
  claimed: {},
  faulted: {},
  discarded: {},
};

/** The phase of one session, which changes only as the table says. */
export class SessionPhases {
  #phase: SessionPhase = "unused";

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** Whether the session takes calls. */
  get takesCalls(): boolean {
    return this.#phase === "unused" || this.#phase === "started";
  }

  /** Whether the session's chain has its first entry but not its last. */
  get takesEntries(): boolean {
    return this.#phase === "started" || this.#phase === "closing";
  }

  /** Takes one step. @throws CmcpError `SESSION_CLOSED` for a step that is not in the table; the phase stays. */
  step(event: SessionEvent): SessionPhase {
    const next = TABLE[this.#phase][event];
    if (next === undefined)
      throw new CmcpError("SESSION_CLOSED", `${event} is not legal in a session that is ${this.#phase}`);
    this.#phase = next;
    return next;
  }
}
