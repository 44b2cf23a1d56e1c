import { isExponential } from "./ambiguity.ts";
import { readPattern } from "./pattern-syntax.ts";

const MAX_PATTERN_LENGTH = 1024;

/**
 * Why a regular expression of a schema is not taken; `null` when it is. The platform's matcher backtracks, and
 * callers and servers choose the text, so a pattern whose time can grow exponentially is refused.
 */
export function checkPattern(pattern: string): string | null {
  if (pattern.length > MAX_PATTERN_LENGTH) return `is longer than ${MAX_PATTERN_LENGTH} characters`;
  try {
    // The flag the validator uses.
    RegExp(pattern, "u");
  } catch {
    return "is not a regular expression with the u flag";
  }
  try {
    return isExponential(readPattern(pattern))
      ? "can backtrack without end; write it so that repeated parts cannot match the same text in two ways"
      : null;
  } catch (thrown) {
    if (thrown instanceof RangeError) return `is too involved: ${thrown.message}`;
    throw thrown;
  }
}
