import { joinLabels, LOWEST, type Label } from "./label.ts";
import type { Session } from "./session.ts";

/**
 * The state of one principal. What it has seen is here and not in the session, so that a new session never starts below it.
 */
export class PrincipalState {
  readonly id: string;
  /** Least recently used first. */
  readonly sessions = new Set<Session>();
  /** When the principal was last seen, in milliseconds of the table's monotonic clock. */
  seenAt = 0;
  readonly byLabel = new Map<string | null, Session>();
  readonly #raised: (state: PrincipalState) => void;
  #label: Label = LOWEST;

  /** @param raised called after every rise, even when the table has dropped the principal and a session still raises it */
  constructor(id: string, raised: (state: PrincipalState) => void) {
    this.id = id;
    this.#raised = raised;
  }

  /** What all its sessions have seen. */
  get label(): Label {
    return this.#label;
  }

  /** Resets to the lowest label. Only an operator's signed statement does this. */
  reset(): void {
    this.#label = LOWEST;
  }

  /** Raises the principal, and with it each of its sessions. */
  raise(label: Label): void {
    const joined = joinLabels(this.#label, label);
    if (joined === this.#label) return;
    this.#label = joined;
    for (const session of this.sessions) session.syncWithPrincipal();
    this.#raised(this);
  }
}
