import { codePointName, type FindingKind, type Severity, type TextFinding } from "./finding.ts";

interface CharacterClass {
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly what: string;
}

const classOf = (kind: FindingKind, severity: Severity, what: string): CharacterClass => ({ kind, severity, what });
const TAG = classOf("tag-character", "high", "a tag character, which shows nothing and spells text to a model");
const BIDI = classOf(
  "bidi-control",
  "high",
  "a bidirectional control, which makes text show in another order than it is read",
);
const MARK = classOf("bidi-control", "medium", "a bidirectional mark, which shows nothing");
const ZERO_WIDTH = classOf("invisible-character", "high", "an invisible character");
const JOINER = classOf("invisible-character", "medium", "a joiner, which shows nothing");
const SELECTOR = classOf("invisible-character", "high", "a variation selector that varies nothing");
const CONTROL = classOf("control-character", "high", "a control character");
const SPACE = classOf("unusual-whitespace", "low", "whitespace other than a plain space");
const PRIVATE = classOf("private-use-character", "medium", "a character with no agreed meaning");
const BLANK = classOf("invisible-character", "high", "a blank that is no space");

const BRAILLE_BLANK = 0x2800;

// Code points from the Unicode Character Database: Bidi_Control, Default_Ignorable_Code_Point, White_Space, Cc and Co; and
// those that are none of these and show nothing: the blank Braille pattern, interlinear annotations, the null notehead.
const SINGLE: ReadonlyMap<number, CharacterClass> = new Map([
  ...[0x200e, 0x200f, 0x061c].map((point) => [point, MARK] as const),
  ...[0x200c, 0x200d].map((point) => [point, JOINER] as const),
  ...[0x0085, 0x00a0, 0x1680, 0x202f, 0x205f, 0x2028, 0x2029, 0x3000].map((point) => [point, SPACE] as const),
  ...[BRAILLE_BLANK, 0xfff9, 0xfffa, 0xfffb, 0x1d159].map((point) => [point, BLANK] as const),
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069].map((point) => [point, BIDI] as const),
]);
const BETWEEN_LETTERS =
  /[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}]/u;
/** What an emoji is joined of. */
const PICTURE = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f/u;
/** What a selector chooses the form of; another selector is nothing of the kind. */
const VARIED = /\p{Extended_Pictographic}|[#*0-9]|\p{Script=Han}|(?=\P{ASCII})\p{S}/u;
const BRAILLE = /[\u2801-\u28ff]/;
/** Surrogates and every format character, also those a reviewer sees in their own script. */
const UNSHOWN = /[\p{Surrogate}\p{Cf}]/u;
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/u;

function classify(point: number, before: string, after: string): CharacterClass | null {
  // The quick way out for nearly every character: visible ASCII, tab, line feed, carriage return.
  if ((point >= 0x20 && point < 0x7f) || point === 0x09 || point === 0x0a || point === 0x0d) return null;
  if (point === 0x200d && PICTURE.test(before) && PICTURE.test(after)) return null;
  if ((point === 0x200c || point === 0x200d) && BETWEEN_LETTERS.test(before)) return null;
  if (point === BRAILLE_BLANK && (BRAILLE.test(before) || BRAILLE.test(after))) return SPACE;
  const single = SINGLE.get(point);
  if (single !== undefined) return single;
  if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) return CONTROL;
  if (point >= 0x2000 && point <= 0x200a) return SPACE;
  if (point >= 0xe0000 && point <= 0xe007f) return TAG;
  if ((point >= 0xe000 && point <= 0xf8ff) || point >= 0xf0000) return PRIVATE;
  if (point >= 0xfe00 && point <= 0xfe0f) return VARIED.test(before) ? null : SELECTOR;
  // Whether a soft hyphen is plausible takes more of the text to say: findSoftHyphens.
  return point !== 0x00ad && IGNORABLE.test(String.fromCodePoint(point)) ? ZERO_WIDTH : null;
}

/** Characters a reviewer cannot see or would misread: one finding for each code point, at its first place. */
export function findCharacters(text: string): TextFinding[] {
  const seen = new Map<string, { readonly at: number; readonly is: CharacterClass; count: number }>();
  let before = "";
  let offset = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const next = offset + character.length;
    const is = classify(point, before, String.fromCodePoint(text.codePointAt(next) ?? 0x20));
    if (is !== null) {
      const name = codePointName(point);
      const known = seen.get(`${is.severity}${name}`);
      if (known === undefined) seen.set(`${is.severity}${name}`, { at: offset, is, count: 1 });
      else known.count += 1;
    }
    before = character;
    offset = next;
  }
  return [...seen].map(([key, { at, is, count }]) => ({
    kind: is.kind,
    severity: is.severity,
    codePoint: key.slice(is.severity.length),
    offset: at,
    message: `${is.what}${count === 1 ? "" : `, ${count} times`}`,
  }));
}

/** Text as a terminal may show it: what {@link findCharacters} would report, format characters and line breaks stand as `<U+....>`. */
export function visibleText(text: string): string {
  let out = "";
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    out +=
      point === 0x0a || point === 0x0d || point === 0x09 || UNSHOWN.test(character) || classify(point, "", "") !== null
        ? `<${codePointName(point)}>`
        : character;
  }
  return out;
}
