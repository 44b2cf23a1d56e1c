import { withoutFormatCharacters, type WorkBudget } from "@cmcp/findings";

/** Code units that are normalised at a time, as one may become 18. */
const PART = 32_768;
const BEYOND_ASCII = /[^\0-\x7f]/;
/** Marks on letters. They go before anything is normalised, which takes quadratic time in how many stand together. */
const MARKS = /\p{M}+/gu;
const LETTER = /^[\p{L}\p{N}]$/u;

/** For each code unit what it becomes: itself in lower case where it is a letter or digit of ASCII, else 0. */
const ASCII = Uint16Array.from({ length: 128 }, (_, unit) => {
  const lower = String.fromCharCode(unit).toLowerCase();
  return LETTER.test(lower) ? lower.charCodeAt(0) : 0;
});
/** 0 for a code unit that was not asked for yet, 1 for a letter or digit, 2 for another. */
const KNOWN = new Uint8Array(0x10000);

function isLetter(unit: number): boolean {
  let known = KNOWN[unit];
  if (known === 0) {
    known = LETTER.test(String.fromCharCode(unit)) ? 1 : 2;
    KNOWN[unit] = known;
  }
  return known === 1;
}

/** Code units that can be read again, in a buffer that grows. */
class LetterBuffer {
  #units: Uint16Array;
  #length = 0;

  constructor(capacity: number) {
    this.#units = new Uint16Array(capacity);
  }

  /** The letters so far. */
  get letters(): Uint16Array {
    return this.#units.subarray(0, this.#length);
  }

  addAscii(text: string): void {
    this.#reserve(text.length);
    for (let at = 0; at < text.length; at += 1) {
      const unit = ASCII[text.charCodeAt(at)] ?? 0;
      if (unit !== 0) this.#units[this.#length++] = unit;
    }
  }

  /** Letters beyond the first plane come as two code units. */
  addUnicode(text: string): void {
    this.#reserve(text.length);
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (isLetter(unit)) this.#units[this.#length++] = unit;
      else if (unit >= 0xd800 && unit < 0xdc00 && LETTER.test(text.slice(at, at + 2))) {
        this.#units[this.#length++] = unit;
        this.#units[this.#length++] = text.charCodeAt(at + 1);
      }
    }
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#units.length) return;
    const larger = new Uint16Array(needed * 2);
    larger.set(this.letters);
    this.#units = larger;
  }
}

/**
 * The letters and digits of a text, for comparing: compatibility forms resolved (NFKD), in lower case, without accents, spaces, punctuation
 * and characters that show nothing. Linear; every unit is taken from the budget, and what it has no room for is left out.
 */
export function lettersOf(text: string, budget: WorkBudget): Uint16Array {
  const buffer = new LetterBuffer(text.length);
  let end: number;
  for (let start = 0; start < text.length; start = end) {
    end = Math.min(start + PART, text.length);
    if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end += 1;
    const part = text.slice(start, end);
    if (!budget.take(part.length)) break;
    if (!BEYOND_ASCII.test(part)) {
      buffer.addAscii(part);
      continue;
    }
    const normal = withoutFormatCharacters(part).replace(MARKS, "").normalize("NFKD").toLowerCase();
    if (!budget.take(Math.max(0, normal.length - part.length))) break;
    buffer.addUnicode(normal);
  }
  return buffer.letters;
}
