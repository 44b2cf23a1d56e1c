import { findPhrases, ROLE_MARKS, scriptsOf, withoutFormatCharacters, wordsOf } from "@cmcp/findings";
import { found, type FindingKind, type Severity, type TextFinding } from "./finding.ts";
import { MIN_BLANK_RUN } from "./limits.ts";

/** Literal marks, compared in lower case; each is there for what reads it, not for a person. */
const MARKS: readonly (readonly [string, FindingKind, Severity, string])[] = [
  ["<!--", "hidden-comment", "high", "an HTML comment, which a rendered view hides"],
  ["[//]: #", "hidden-comment", "high", "a Markdown comment, which a rendered view hides"],
  ["[comment]: #", "hidden-comment", "high", "a Markdown comment, which a rendered view hides"],
  ...ROLE_MARKS.map(
    ([mark, what, grave]) =>
      [mark, "role-marker", grave ? "high" : "medium", what] as [string, FindingKind, Severity, string],
  ),
  ["](http", "external-image", "low", "a Markdown link to another site"],
  ["~/.", "sensitive-path", "medium", "a file of the user's settings and keys"],
  ["id_rsa", "sensitive-path", "medium", "a private key's file"],
  ["/etc/passwd", "sensitive-path", "medium", "a system file"],
  [".aws/credentials", "sensitive-path", "medium", "a credentials file"],
  ["mcp.json", "sensitive-path", "medium", "an agent's configuration"],
];

const APOSTROPHES = /['\u2018\u2019]/g;
const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const ADDRESS = /https?:\/\/|[a-z0-9]@[a-z0-9]/;
const STEERS: ReadonlySet<FindingKind> = new Set([
  "model-directive",
  "secrecy-instruction",
  "sensitive-path",
  "role-marker",
  "override-instruction",
]);

function findMarks(text: string): TextFinding[] {
  const lower = `\n${text.toLowerCase()}`;
  return MARKS.flatMap(([mark, kind, severity, what]) => {
    const at = lower.indexOf(mark);
    return at < 0 ? [] : [found(kind, severity, Math.max(0, at - 1), what)];
  });
}

function findWords(text: string): TextFinding[] {
  const words = Array.from(text.replaceAll(APOSTROPHES, "").matchAll(WORD), ([word]) => word);
  const mixed = words.find((word) => scriptsOf(word).length > 1);
  const plain = wordsOf(withoutFormatCharacters(text));
  const phrases = [
    ...new Map(
      findPhrases(plain).map((each) => [each.says, found(each.kind, each.severity, null, each.says)]),
    ).values(),
  ];
  return mixed === undefined
    ? phrases
    : [
        ...phrases,
        found(
          "mixed-script",
          "medium",
          text.indexOf(mixed),
          `a word that mixes ${scriptsOf(mixed).join(" and ")} letters`,
        ),
      ];
}

function findBlankRun(text: string): TextFinding[] {
  let run = 0;
  for (let at = 0; at < text.length; at += 1) {
    run = /\s/.test(text.charAt(at)) ? run + 1 : 0;
    if (run >= MIN_BLANK_RUN && at + 1 < text.length)
      return [found("blank-run", "medium", at + 1 - run, "a long blank run, which pushes what follows out of sight")];
  }
  return [];
}

/** What in a text steers a model or hides from a reviewer. Speaking of sending secrets is grave beside an address or an order. */
export function findInstructions(text: string): TextFinding[] {
  const all = [...findMarks(text), ...findWords(text), ...findBlankRun(text)];
  const grave =
    ADDRESS.test(text.toLowerCase()) || all.some(({ kind, severity }) => STEERS.has(kind) && severity !== "low");
  return all.map((finding) => (grave && finding.kind === "exfiltration" ? { ...finding, severity: "high" } : finding));
}
