import { RE2JS } from "re2js";
import { spend } from "../work.ts";
import { translate } from "./translate.ts";

/** Longest pattern, in UTF-16 units. */
const MAX_PATTERN_LENGTH = 1024;
/** Most instructions of a compiled pattern: matching takes at most this many steps for a character. */
export const MAX_PATTERN_SIZE = 2500;
/** Longest string a pattern is tried on, in UTF-16 units; a longer one does not match. */
export const MAX_MATCHED_LENGTH = 4096;

const compiled = new Map<string, LinearPattern>();

/**
 * A regular expression of ECMA-262 with the u flag, matched in time linear in the text: whoever chooses pattern and text cannot make
 * it backtrack. What needs backtracking is refused.
 */
export class LinearPattern {
  readonly #engine: RE2JS;
  /** Instructions of the compiled pattern. */
  readonly size: number;

  private constructor(engine: RE2JS) {
    this.#engine = engine;
    this.size = engine.programSize();
  }

  /** The pattern, or why it is not taken. */
  static read(pattern: string): LinearPattern | string {
    const known = compiled.get(pattern);
    if (known !== undefined) return known;
    if (pattern.length > MAX_PATTERN_LENGTH) return `is longer than ${MAX_PATTERN_LENGTH} characters`;
    try {
      // The flag of JSON Schema (2020-12 Core, section 6.4).
      RegExp(pattern, "u");
    } catch {
      return "is not a regular expression with the u flag";
    }
    let read: LinearPattern;
    try {
      read = new LinearPattern(RE2JS.compile(translate(pattern)));
    } catch (thrown) {
      const why = thrown instanceof RangeError ? thrown.message : "repeats too much";
      return `cannot be matched in linear time: it ${why}`;
    }
    if (read.size > MAX_PATTERN_SIZE) return "cannot be matched in linear time: it repeats too much";
    compiled.set(pattern, read);
    return read;
  }

  /**
   * Whether the pattern matches somewhere in a text of at most {@link MAX_MATCHED_LENGTH}.
   * @throws RangeError when the work of one check is used up
   */
  test(text: string): boolean {
    if (text.length > MAX_MATCHED_LENGTH) return false;
    spend(this.size * (text.length + 1));
    return this.#engine.test(text);
  }
}
