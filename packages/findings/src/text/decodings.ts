import type { WorkBudget } from "../work-budget.ts";
import { decodedRuns, unescaped, type Decoded, type Encoding } from "./encodings.ts";
import { withoutFormatCharacters } from "./format-characters.ts";

/** Most encodings inside one another that are taken off. */
export const MAX_DEPTH = 6;
/** Most texts that are given for one text. */
export const MAX_DECODED_TEXTS = 256;
/** Passes over a text that decoding it takes at most: runs at four places and escapes of three kinds. */
const PASSES = 2;

/** A text, or one that stood encoded inside it. */
export interface DecodedText {
  readonly text: string;
  /** The text without characters that show nothing; the same string when it has none. */
  readonly plain: string;
  /** Encodings taken off, outermost first; empty for the text itself. */
  readonly encodings: readonly Encoding[];
}

/** The texts, the text itself first. */
export interface DecodedTexts {
  readonly texts: readonly DecodedText[];
  /** False when the budget, the depth or the number of texts left something undecoded. */
  readonly complete: boolean;
}

/**
 * A text and, recursively, what is encoded inside it: base64 and base64url, hexadecimal, percent-encoding, escapes of JSON
 * strings, character references of HTML. No text is given twice. A run counts as encoded when nearly all of what it decodes to
 * are characters that people write. Linear in the text and in what was decoded; all of it is taken from the budget.
 */
export function decodedTexts(text: string, budget: WorkBudget): DecodedTexts {
  const read = budget.takeText(text);
  const texts: DecodedText[] = [{ text: read, plain: withoutFormatCharacters(read), encodings: [] }];
  const known = new Set([read]);
  let complete = read.length === text.length;
  for (let at = 0; at < texts.length; at += 1) {
    const outer = texts[at];
    if (outer === undefined) break;
    const inside = decodingsOf(outer, budget);
    complete &&= inside !== null;
    for (const { encoding, text: decoded } of inside ?? []) {
      if (known.has(decoded)) continue;
      if (outer.encodings.length >= MAX_DEPTH || texts.length >= MAX_DECODED_TEXTS || !budget.take(decoded.length)) {
        complete = false;
        break;
      }
      known.add(decoded);
      texts.push({
        text: decoded,
        plain: withoutFormatCharacters(decoded),
        encodings: [...outer.encodings, encoding],
      });
    }
  }
  if (!complete) budget.abandon();
  return { texts, complete };
}

function decodingsOf({ plain }: DecodedText, budget: WorkBudget): Decoded[] | null {
  if (!budget.take(plain.length * PASSES)) return null;
  return [...unescaped(plain), ...decodedRuns(plain)];
}
