import { toAsciiLookalike } from "./confusables.ts";

const APOSTROPHES = /['\u2018\u2019]/g;
const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const BEYOND_ASCII = /[^\0-\x7f]/;
/** The same words where all is ASCII, in a fifth of the time. */
const ASCII_WORD = /[a-z0-9]+/g;

/** Words as a reader sees them: in lower case, look-alike letters as ASCII, without apostrophes. */
export function wordsOf(plain: string): string[] {
  const seen = toAsciiLookalike(plain).replaceAll(APOSTROPHES, "").toLowerCase();
  return seen.match(BEYOND_ASCII.test(seen) ? WORD : ASCII_WORD) ?? [];
}
