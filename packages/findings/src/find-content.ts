import type { Detectors } from "./detectors.ts";
import { Tally, type Findings } from "./findings.ts";
import { findCarryingLinks } from "./injection/carrying-links.ts";
import { findHiddenText } from "./injection/hidden-text.ts";
import { findMarks } from "./injection/marks.ts";
import { wordsOf } from "./injection/words.ts";
import { findPersonal } from "./personal/find-personal.ts";
import { decodedTexts, type DecodedText } from "./text/decodings.ts";
import type { Leaves } from "./text/leaves.ts";
import { WorkBudget } from "./work-budget.ts";

/** Most text of one message that detectors read, in UTF-16 units: 256 Ki. */
export const MAX_EXAMINED = 256 * 1024;
/** Passes that the detectors other than that of secrets make over a text. */
const PASSES = 6;
/** Work of one message: reading, decoding and examining {@link MAX_EXAMINED} of plain text, and half as much for what it encodes. */
export const FINDINGS_WORK = MAX_EXAMINED * 16;

/** Leaves as one text, each on lines of its own, so that a name stands beside its value and one pass reads all. */
function joined({ leaves }: Leaves, most: number): { readonly text: string; readonly complete: boolean } {
  const parts: string[] = [];
  let units = 0;
  for (const { text, kind } of leaves) {
    const left = most - units;
    if (text.length > left) {
      parts.push(text.slice(0, left));
      return { text: parts.join(""), complete: false };
    }
    // A name is followed by what it names.
    const end = kind === "name" ? ": " : "\n\n";
    parts.push(text, end);
    units += text.length + end.length;
  }
  return { text: parts.join(""), complete: true };
}

function examine({ text, plain }: DecodedText, { model }: Detectors, tally: Tally): void {
  findHiddenText(text, tally);
  findPersonal(plain, tally);
  findCarryingLinks(plain, tally);
  const words = wordsOf(plain);
  findMarks(plain, words, tally);
  tally.score(model.score(words));
}

/**
 * What stands in the texts of a message and in what they encode. Time is linear in the text, and bounded by
 * {@link MAX_EXAMINED} and the budget; `complete` is false when either left something unread.
 */
export function findContent(
  leaves: Leaves,
  detectors: Detectors,
  budget: WorkBudget = new WorkBudget(FINDINGS_WORK),
): Findings {
  const { text, complete } = joined(leaves, MAX_EXAMINED);
  const tally = new Tally();
  const { texts } = decodedTexts(text, budget);
  for (const each of texts) {
    if (!budget.take(each.text.length * PASSES)) break;
    examine(each, detectors, tally);
    detectors.secrets.find(each.plain, tally, budget);
  }
  return tally.findings(complete && leaves.complete && budget.complete);
}
