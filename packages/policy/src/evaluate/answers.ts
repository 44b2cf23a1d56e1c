import type { AuthorizationAnswer } from "@cedar-policy/cedar-wasm/nodejs";
import { MAX_ANSWERS, MAX_ANSWERS_TEXT } from "./bounds.ts";

/**
 * What the engine has answered, by everything that it was asked with. Cedar knows neither time nor chance: the same
 * policies, schema and request have the same answer, so the engine need not be asked twice. Only what the schema lets
 * rules see is part of the request, so calls that differ in nothing a rule can read share one answer.
 */
export class Answers {
  readonly #known = new Map<string, AuthorizationAnswer>();
  #text = 0;

  get(asked: string): AuthorizationAnswer | undefined {
    return this.#known.get(asked);
  }

  /** Keeps an answer that is not known yet; what is oldest gives way. */
  keep(asked: string, answer: AuthorizationAnswer): void {
    if (asked.length > MAX_ANSWERS_TEXT) return;
    this.#known.set(asked, answer);
    this.#text += asked.length;
    while (this.#known.size > MAX_ANSWERS || this.#text > MAX_ANSWERS_TEXT) {
      const oldest = this.#known.keys().next();
      if (oldest.done === true) return;
      this.#known.delete(oldest.value);
      this.#text -= oldest.value.length;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#known.clear();
    this.#text = 0;
  }
}
