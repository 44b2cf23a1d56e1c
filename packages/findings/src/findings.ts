/** Most kinds that are named; a text of more has every class counted all the same. */
export const MAX_KINDS = 64;
/** Most values of one class that are told apart and counted. */
export const MAX_COUNT = 1000;

/** What stands in the texts of one message. It holds counts and the names of kinds, never a value. */
export interface Findings {
  /** Distinct values that match a rule for secrets. */
  readonly secrets: number;
  /** Distinct numbers of persons and accounts whose check digits hold, or that their context names. */
  readonly personalData: number;
  /** Distinct e-mail addresses and telephone numbers. */
  readonly contacts: number;
  /** Kinds of marks that speak to a model: tags, override phrases, orders to keep something from the user. */
  readonly injectionMarks: number;
  /** Hint of the linear model, 0 to 100. */
  readonly injectionScore: number;
  /** Whether text is hidden from a person: invisible characters, styles, comments, terminal escapes. */
  readonly hiddenText: boolean;
  /** Distinct links and images whose address carries data. */
  readonly carryingLinks: number;
  /** Such as `secret:github-pat`, sorted; at most {@link MAX_KINDS}. */
  readonly kinds: readonly string[];
  /** False when something was not looked at. */
  readonly complete: boolean;
}

/** Classes of findings; each kind's name starts with its class. */
export type FindingClass = "secret" | "personal" | "contact" | "mark" | "hidden" | "link";

/** Collects findings of one message: each value counts once, however often and however encoded it stands there. */
export class Tally {
  readonly #values: Record<FindingClass, Set<string>> = {
    secret: new Set(),
    personal: new Set(),
    contact: new Set(),
    mark: new Set(),
    hidden: new Set(),
    link: new Set(),
  };
  readonly #kinds = new Set<string>();
  #score = 0;

  /** @param value what tells it from others of its class; it is forgotten with the tally */
  add(of: FindingClass, kind: string, value: string): void {
    const values = this.#values[of];
    if (values.size < MAX_COUNT) values.add(value);
    if (this.#kinds.size < MAX_KINDS) this.#kinds.add(`${of}:${kind}`);
  }

  /** Keeps the highest score. */
  score(score: number): void {
    this.#score = Math.max(this.#score, score);
  }

  findings(complete: boolean): Findings {
    const { secret, personal, contact, mark, hidden, link } = this.#values;
    return {
      secrets: secret.size,
      personalData: personal.size,
      contacts: contact.size,
      injectionMarks: mark.size,
      injectionScore: this.#score,
      hiddenText: hidden.size > 0,
      carryingLinks: link.size,
      kinds: [...this.#kinds].sort(),
      complete,
    };
  }
}
