import { findContent, type Detectors } from "@cmcp/findings";
import { found, type FindingKind, type Severity, type TextFinding } from "./finding.ts";
import type { PlacedText } from "./texts.ts";

/** Score from which the model's hint is shown; of harmless paragraphs 2 in 1000 have it. */
const MIN_SCORE = 90;

/** What a class of findings is to a reviewer. The kinds of marks are those of the scan. */
const SHOWN: Readonly<Record<string, readonly [kind: FindingKind, severity: Severity, message: string]>> = {
  secret: ["secret", "medium", "what looks like a key or token"],
  personal: ["personal-data", "low", "what looks like a number of a person or account"],
  hidden: ["hidden-text", "medium", "text that a rendered view hides"],
  link: ["carrying-link", "medium", "a link or image whose address carries data"],
};
const MARKS: ReadonlySet<string> = new Set<FindingKind>([
  "role-marker",
  "override-instruction",
  "secrecy-instruction",
  "exfiltration",
  "model-directive",
]);

function isMark(kind: string): kind is FindingKind {
  return MARKS.has(kind);
}

/**
 * What the detectors of calls find in the texts of one definition, encoded texts among them, at most one finding a kind.
 *
 * @param known kinds that the scan has found by itself, and says more about
 */
export function findDetected(
  texts: readonly PlacedText[],
  known: ReadonlySet<FindingKind>,
  detectors: Detectors,
): TextFinding[] {
  const leaves = texts.map(({ path, text, isName }) => ({ path, text, kind: isName ? "name" : "string" }) as const);
  const { kinds, injectionScore } = findContent({ leaves, complete: true }, detectors);
  const shown = new Map<FindingKind, TextFinding>();
  for (const name of kinds) {
    const [of = "", kind = ""] = name.split(":");
    if (of === "mark" && isMark(kind))
      shown.set(kind, found(kind, "medium", null, "words or marks that address the model, perhaps encoded"));
    const entry = SHOWN[of];
    if (entry !== undefined) shown.set(entry[0], found(entry[0], entry[1], null, `${entry[2]}: ${kind}`));
  }
  if (injectionScore >= MIN_SCORE)
    shown.set(
      "injection-score",
      found("injection-score", "medium", null, `words that read like an order to a model (${injectionScore} of 100)`),
    );
  return [...shown.values()].filter(({ kind }) => !known.has(kind));
}
