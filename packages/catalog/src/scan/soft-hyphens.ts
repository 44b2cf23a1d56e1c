import { codePointName, type Severity, type TextFinding } from "./finding.ts";
import { MAX_SOFT_HYPHENS } from "./limits.ts";

const SOFT_HYPHEN = "\u00ad";
/** Two letters with their marks: the least that typesetting leaves of a word on either side. */
const SYLLABLE_BEFORE = /\p{L}\p{M}{0,2}\p{L}\p{M}{0,2}$/u;
const SYLLABLE_AFTER = /^\p{L}\p{M}{0,2}\p{L}/u;
/** UTF-16 units that such letters take at most. */
const SYLLABLE_UNITS = 12;

function dividesWord(text: string, at: number): boolean {
  return (
    SYLLABLE_BEFORE.test(text.slice(Math.max(0, at - SYLLABLE_UNITS), at)) &&
    SYLLABLE_AFTER.test(text.slice(at + 1, at + 1 + SYLLABLE_UNITS))
  );
}

/**
 * Soft hyphens, which show nothing but at the end of a line: those that divide no word as typesetting does, and more
 * of those that do than a text needs. Both can spell something to a model.
 * @param prose text that may be divided, as a name is not
 */
export function findSoftHyphens(text: string, prose: boolean): TextFinding[] {
  const [stray, dividing]: [number[], number[]] = [[], []];
  for (let at = text.indexOf(SOFT_HYPHEN); at >= 0; at = text.indexOf(SOFT_HYPHEN, at + 1))
    (prose && dividesWord(text, at) ? dividing : stray).push(at);
  return [
    ...finding("high", stray, "a soft hyphen where no word is divided, which shows nothing"),
    ...(dividing.length > MAX_SOFT_HYPHENS
      ? finding("medium", dividing, "a soft hyphen, which shows nothing within a line")
      : []),
  ];
}

function finding(severity: Severity, [first, ...more]: readonly number[], what: string): TextFinding[] {
  if (first === undefined) return [];
  return [
    {
      kind: "invisible-character",
      severity,
      codePoint: codePointName(0x00ad),
      offset: first,
      message: `${what}${more.length === 0 ? "" : `, ${more.length + 1} times`}`,
    },
  ];
}
