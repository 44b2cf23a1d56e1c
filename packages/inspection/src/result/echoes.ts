import { CmcpError, type JsonValue } from "@cmcp/boundary";

/** Shortest redacted value that is looked for elsewhere, in characters; shorter ones stand in too many places by chance. */
export const MIN_ECHO_LENGTH = 6;
const MAX_STEPS = 50_000_000;

/** The values that were taken out, to be found again where a result repeats them. */
export class RedactedValues {
  readonly #byPrefix = new Map<string, Set<string>>();
  #steps = 0;

  /** Remembers every text and number in a redacted value. */
  add(value: JsonValue): void {
    if (typeof value === "string") this.#remember(value.trim());
    else if (typeof value === "number") this.#remember(String(value));
    else if (typeof value === "object" && value !== null) for (const member of Object.values(value)) this.add(member);
  }

  /**
   * Whether a text contains one of the values.
   * @throws CmcpError `RESPONSE_SIZE_EXCEEDED` when a result is built so that finding out takes too long
   */
  isIn(text: string): boolean {
    if (this.#byPrefix.size === 0) return false;
    for (let at = 0; at + MIN_ECHO_LENGTH <= text.length; at += 1) {
      const candidates = this.#byPrefix.get(text.slice(at, at + MIN_ECHO_LENGTH));
      for (const candidate of candidates ?? []) {
        this.#steps += candidate.length;
        if (this.#steps > MAX_STEPS)
          throw new CmcpError("RESPONSE_SIZE_EXCEEDED", "the result repeats too much to be redacted");
        if (text.startsWith(candidate, at)) return true;
      }
    }
    return false;
  }

  #remember(text: string): void {
    if (text.length < MIN_ECHO_LENGTH) return;
    const prefix = text.slice(0, MIN_ECHO_LENGTH);
    const known = this.#byPrefix.get(prefix);
    if (known === undefined) this.#byPrefix.set(prefix, new Set([text]));
    else known.add(text);
  }
}
