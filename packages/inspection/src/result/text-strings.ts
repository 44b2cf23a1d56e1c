/** A string in a text that is JSON at least to some readers. */
export interface TextString {
  readonly value: string;
  /** Whether it is the name of a member. */
  readonly isName: boolean;
}

const PLAIN = /[^"\\]*/y;
const SPACE_AND_COLON = /[ \t\n\r]*:/y;

/**
 * Every string of a text, whatever a reader makes of the rest of it: both members of a duplicate name, and
 * those too deep to be read.
 */
export function stringsOf(text: string): TextString[] {
  const found: TextString[] = [];
  for (let start = text.indexOf('"'); start !== -1; ) {
    const end = endOf(text, start + 1);
    SPACE_AND_COLON.lastIndex = end + 1;
    found.push({ value: decoded(text.slice(start + 1, end)), isName: SPACE_AND_COLON.test(text) });
    start = text.indexOf('"', end + 1);
  }
  return found;
}

/** Where the string ends whose first character is at `from`: at its quotation mark, or with the text. */
function endOf(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    PLAIN.lastIndex = at;
    PLAIN.test(text);
    if (text[PLAIN.lastIndex] !== "\\") return PLAIN.lastIndex;
    at = PLAIN.lastIndex + 2;
  }
  return text.length;
}

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(.))/gs;
const ESCAPED: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function decoded(written: string): string {
  if (!written.includes("\\")) return written;
  return written.replaceAll(ESCAPE, (_, unit: string | undefined, character: string = "") =>
    unit === undefined ? (ESCAPED[character] ?? character) : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}
