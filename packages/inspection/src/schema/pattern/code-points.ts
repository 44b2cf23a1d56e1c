/** First and last code point of each stretch, in order, without overlap. */
export type Ranges = readonly (readonly [first: number, last: number])[];

const LAST = 0x10_ff_ff;

/** Character class escapes with the u flag and without the i flag (ECMA-262, "CharacterClassEscape"). */
const DIGITS: Ranges = [[0x30, 0x39]];
const WORD: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
/** WhiteSpace and LineTerminator of ECMA-262, which are more than RE2 takes for `\s`. */
const SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
/** What `.` leaves out without the s flag: LineTerminator of ECMA-262. */
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

/** Every code point that is in none of the ranges. */
export function complement(ranges: Ranges): Ranges {
  const out: [number, number][] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) out.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST) out.push([next, LAST]);
  return out;
}

/** The same code points in order, without overlap. */
export function ordered(ranges: Ranges): Ranges {
  const out: [number, number][] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = out.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else out.push([first, last]);
  }
  return out;
}

/** What `.` matches. */
export const ANY_IN_LINE: Ranges = complement(LINE_ENDS);

const properties = new Map<string, Ranges>();

/** What a property escape such as `\p{L}` matches, as the platform's Unicode tables have it. */
function ofProperty(escape: string): Ranges {
  const known = properties.get(escape);
  if (known !== undefined) return known;
  const one = new RegExp(`^${escape}$`, "u");
  const out: [number, number][] = [];
  for (let point = 0; point <= LAST; point += 1) {
    if (!one.test(String.fromCodePoint(point))) continue;
    const before = out.at(-1);
    if (before !== undefined && before[1] === point - 1) before[1] = point;
    else out.push([point, point]);
  }
  properties.set(escape, out);
  return out;
}

/** What a class escape matches, such as `\d`, `\W` or `\p{L}`. */
export function ofEscape(escape: string): Ranges {
  switch (escape.charAt(1)) {
    case "d":
      return DIGITS;
    case "D":
      return complement(DIGITS);
    case "w":
      return WORD;
    case "W":
      return complement(WORD);
    case "s":
      return SPACE;
    case "S":
      return complement(SPACE);
    default:
      return ofProperty(escape);
  }
}

const written = (point: number): string => `\\x{${point.toString(16)}}`;

/** The ranges as a class of RE2's syntax. */
export function classOf(ranges: Ranges): string {
  if (ranges.length === 0) return `[^${written(0)}-${written(LAST)}]`;
  return `[${ranges.map(([first, last]) => (first === last ? written(first) : `${written(first)}-${written(last)}`)).join("")}]`;
}
