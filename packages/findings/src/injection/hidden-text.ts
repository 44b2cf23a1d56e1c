import type { Tally } from "../findings.ts";

const BEYOND_ASCII = /[^\0-\x7f]/;
/** Tag characters (Unicode 16, section 23.9) but for those of a flag, which follow a black flag. */
const TAGS = /(?<!\u{1f3f4}[\u{e0020}-\u{e007e}]{0,8})[\u{e0000}-\u{e007f}]/u;
const ZERO_WIDTH = /[a-z][\u200b\u2060-\u2064\ufeff\u180e\u00ad][a-z]|[\u200b-\u200d\u2060-\u2064\ufeff]{2}/i;
const BIDI = /[\u202a-\u202e\u2066-\u2069]/;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/u;
const SELECTORS = /[\ufe00-\ufe0f]{2}|[\u{e0100}-\u{e01ef}]{2}/u;
const FILLERS = /[\u3164\uffa0\u115f\u1160]/;
/** Terminal escapes that conceal (ECMA-48, SGR 8), go back over what was written, or erase it. */
const CONCEALED = /[^\P{Cc}\t\n\r]\[(?:(?:[0-9]{1,3};){0,8}8m|[0-9]{0,3}[AFJK])/u;
const BACK = "\b\b";
/** Declarations that take an element out of sight. */
const STYLES =
  /(?:display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden|font-size\s{0,4}:\s{0,4}0(?:px|pt|em|rem|%)?\s{0,4}[;"'}]|opacity\s{0,4}:\s{0,4}0\s{0,4}[;"'}]|text-indent\s{0,4}:\s{0,4}-\d{3})/;
const ADDRESSES_MODEL = /\b(?:instructions?|assistant|language model|ai agent|ignore|prompt)\b/;
/** Most of a comment that is read, in UTF-16 units. */
const MAX_COMMENT = 2048;

/** Characters that show nothing and spell text, or show text in another order. */
function findCharacters(text: string, tally: Tally): void {
  if (!BEYOND_ASCII.test(text)) return;
  const add = (kind: string): void => tally.add("hidden", kind, kind);
  if (TAGS.test(text)) add("tag-characters");
  if (ZERO_WIDTH.test(text)) add("zero-width");
  if (BIDI.test(text) && !RIGHT_TO_LEFT.test(text)) add("bidirectional");
  if (SELECTORS.test(text)) add("variation-selectors");
  if (FILLERS.test(text)) add("fillers");
}

/** Comments of HTML and Markdown that speak to a model. */
function findComments(lower: string, tally: Tally): void {
  for (let at = lower.indexOf("<!--"); at >= 0; at = lower.indexOf("<!--", at + 4)) {
    const end = lower.indexOf("-->", at);
    const comment = lower.slice(at, end < 0 ? at + MAX_COMMENT : Math.min(end, at + MAX_COMMENT));
    if (ADDRESSES_MODEL.test(comment)) return tally.add("hidden", "comment", "comment");
    if (end < 0) return;
    // The next one may begin where this one's three characters end.
    at = end - 1;
  }
}

/** Adds ways in which a text keeps part of itself from a person. It takes the text with its format characters. */
export function findHiddenText(text: string, tally: Tally): void {
  findCharacters(text, tally);
  if (CONCEALED.test(text) || text.includes(BACK)) tally.add("hidden", "terminal-escape", "terminal-escape");
  if (!text.includes("<")) return;
  const lower = text.toLowerCase();
  if (STYLES.test(lower)) tally.add("hidden", "style", "style");
  findComments(lower, tally);
}
