import type { Session } from "./session.ts";
import { LOWEST_LABEL, type Vocabulary } from "./vocabulary.ts";

/**
 * What the table remembers of one principal. The sensitivity lives here and not in the session, so that no
 * new label, handle, close or eviction starts lower than what the principal has already seen.
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

  /** @param raised told after every rise; a session can still raise its principal when the table has forgotten both */
  constructor(id: string, vocabulary: Vocabulary, raised: (state: PrincipalState) => void) {
    this.id = id;
    this.#vocabulary = vocabulary;
    this.#raised = raised;
  }

  get sensitivity(): string {
    return this.#sensitivity;
  }

  /** Starts again from the lowest label: an operator's signed act, the only way down. */
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
