/** Fewest letters and digits of a value that is compared as a whole, when a digit or an `@` makes it rare. */
export const MIN_IDENTIFIER = 6;
/** Longest identifier in a text, in UTF-16 units. A longer run is compared by its fingerprints. */
const MAX_IDENTIFIER = 128;
const RUN = /[\p{L}\p{N}@._+-]{6,}/gu;
/** Digits in groups, as numbers of cards, accounts and telephones are written. */
const GROUPED = /[0-9](?:[ .-]?[0-9]){8,}/g;
const RARE = /[0-9@]/;
/** Dates are too many texts' to say where one came from (RFC 3339). */
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt][0-9:.+-]*)?[Zz]?$/;

/** Whether a text is a date or a time of a date, and nothing else. */
export function isDate(text: string): boolean {
  return text.length <= MAX_IDENTIFIER && DATE.test(text.trim());
}

/** Whether a text has what makes a short value rare. */
export function isRare(text: string): boolean {
  return RARE.test(text) && !isDate(text);
}

/** Identifiers inside a text: what has a digit or an `@`, and digits in groups. Linear. */
export function* identifiersOf(text: string): Generator<string> {
  if (!RARE.test(text)) return;
  for (const [run] of text.matchAll(RUN)) if (run.length <= MAX_IDENTIFIER && isRare(run)) yield run;
  for (const [digits] of text.matchAll(GROUPED))
    if (digits.length <= MAX_IDENTIFIER && digits.includes(" ")) yield digits;
}
