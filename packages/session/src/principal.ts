import type { Session } from "./session.ts";
import { LOWEST_LABEL, type Vocabulary } from "./vocabulary.ts";

/**
 * The state of one principal. The sensitivity is here and not in the session, so that a new session never starts below what the principal
 * has already seen.
 */
export class PrincipalState {
  readonly id: string;
  /** Least recently used first. */
  readonly sessions = new Set<Session>();
  /** When the principal was last seen, in milliseconds of the table's monotonic clock. */
  seenAt = 0;
  readonly byLabel = new Map<string | null, Session>();
  readonly #vocabulary: Vocabulary;
  readonly #raised: (state: PrincipalState) => void;
  #sensitivity: string = LOWEST_LABEL;

  /** @param raised called after every rise, even when the table has dropped the principal and a session still raises it */
  constructor(id: string, vocabulary: Vocabulary, raised: (state: PrincipalState) => void) {
    this.id = id;
    this.#vocabulary = vocabulary;
    this.#raised = raised;
  }

  get sensitivity(): string {
    return this.#sensitivity;
  }

  /** Resets to the lowest label. Only an operator's signed statement does this. */
  reset(): void {
    this.#sensitivity = LOWEST_LABEL;
  }

  /** Raises the principal, and with it each of its sessions. */
  raise(label: string): void {
    const level = this.#vocabulary.max(this.#sensitivity, label);
    if (level === this.#sensitivity) return;
    this.#sensitivity = level;
    for (const session of this.sessions) session.syncWithPrincipal();
    this.#raised(this);
  }
}
