/** Whether a text may hold a format character: every one is beyond ASCII. */
const BEYOND_ASCII = /[^\0-\x7f]/;
/**
 * Characters that show nothing and that a model reads through: format characters (zero width, bidirectional, tags, soft hyphen),
 * default ignorables (variation selectors, fillers), and the blank Braille pattern.
 */
const FORMAT = /[\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]+/gu;

/** The text without characters that show nothing. The same string when it has none. */
export function withoutFormatCharacters(text: string): string {
  return BEYOND_ASCII.test(text) ? text.replace(FORMAT, "") : text;
}
