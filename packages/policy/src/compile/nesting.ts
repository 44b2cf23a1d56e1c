import { CmcpError } from "@cmcp/boundary";

/** Brackets inside brackets. The engine's own parser exhausts its stack near 100 after many parses, near 200 at once. */
export const MAX_BRACKET_DEPTH = 32;

// Strings, comments and brackets; everything else is skipped by the search. A string without an end is found as one, or
// each quotation mark behind its beginning would be tried for another.
const TOKEN = /"(?:[^"\\]|\\[^])*("?)|\/\/[^\n]*|[([{]|[)\]}]/g;

/**
 * Walks Cedar or schema text once and refuses deep brackets before any recursive parser sees them, and a string that
 * does not end, behind which nobody can tell what is text.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`.
 */
export function checkNesting(path: string, text: string): void {
  let depth = 0;
  for (const [token, end] of text.matchAll(TOKEN)) {
    if (end === "") throw new CmcpError("POLICY_BUNDLE_INVALID", `${path} has a string that does not end`);
    if (token === "(" || token === "[" || token === "{") depth += 1;
    else if (token === ")" || token === "]" || token === "}") depth -= 1;
    if (depth > MAX_BRACKET_DEPTH)
      throw new CmcpError("POLICY_BUNDLE_INVALID", `${path} nests brackets deeper than ${MAX_BRACKET_DEPTH}`);
  }
}
