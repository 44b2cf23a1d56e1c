import type { Session } from "./session.ts";
import type { Vocabulary } from "./vocabulary.ts";

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
  #sensitivity: string;

  /** @param raised told after every rise; a session can still raise its principal when the table has forgotten both */
  constructor(id: string, vocabulary: Vocabulary, lowest: string, raised: (state: PrincipalState) => void) {
    this.id = id;
    this.#vocabulary = vocabulary;
    this.#sensitivity = lowest;
    this.#raised = raised;
  }

  get sensitivity(): string {
    return this.#sensitivity;
  }

  /** Raises the principal, and with it each of its sessions. There is no way down. */
  raise(label: string): void {
    const level = this.#vocabulary.max(this.#sensitivity, label);
    if (level === this.#sensitivity) return;
    this.#sensitivity = level;
    for (const session of this.sessions) session.follow();
    this.#raised(this);
  }
}
