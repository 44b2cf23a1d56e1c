import { joinLabels, LOWEST, type Label } from "./label.ts";
import type { Session } from "./session.ts";

/** In place of the id of a session. */
const ELSEWHERE = "elsewhere";

/** What a session is found by among its principal's. Two channels or endpoints share no label, and no default session. */
export function placeOf({ channel, endpoint, label }: Pick<Session, "channel" | "endpoint" | "label">): string {
  return JSON.stringify([channel, endpoint, label]);
}

/**
 * The state of one principal. What it has seen is here and not in the session, so that a new session never starts below it.
 */
export class PrincipalState {
  readonly id: string;
  /** Least recently used first. */
  readonly sessions = new Set<Session>();
  /** When the principal was last seen, in milliseconds of the table's monotonic clock. */
  seenAt = 0;
  /** Sessions by the caller's names for them, see {@link placeOf}. */
  readonly byLabel = new Map<string, Session>();
  readonly #raised: (state: PrincipalState) => void;
  #label: Label = LOWEST;
  /** Id of the one session that saw the data of all compartments; {@link ELSEWHERE} for several, or for one of an earlier instance. */
  #labelledIn: string | null = null;

  /** @param raised called after every rise, even when the table has dropped the principal and a session still raises it */
  constructor(id: string, raised: (state: PrincipalState) => void) {
    this.id = id;
    this.#raised = raised;
  }

  /** What all its sessions have seen. */
  get label(): Label {
    return this.#label;
  }

  /** Whether no data of any compartment was seen outside of a session. */
  hasLabelsOnlyFrom(sessionId: string): boolean {
    return this.#labelledIn === null || this.#labelledIn === sessionId;
  }

  /** Resets to the lowest label. Only an operator's signed statement does this. */
  reset(): void {
    this.#label = LOWEST;
    this.#labelledIn = [...this.sessions].some(({ own }) => own.compartments.length > 0) ? ELSEWHERE : null;
  }

  /**
   * Raises the principal, and with it each of its sessions.
   *
   * @param source id of the session that saw the data; `null` for data that an earlier instance recorded
   */
  raise(label: Label, source: string | null): void {
    if (label.compartments.length > 0)
      this.#labelledIn =
        source !== null && (this.#labelledIn === null || this.#labelledIn === source) ? source : ELSEWHERE;
    const joined = joinLabels(this.#label, label);
    if (joined === this.#label) return;
    this.#label = joined;
    for (const session of this.sessions) session.syncWithPrincipal();
    this.#raised(this);
  }
}
