import type { Tally } from "../findings.ts";
import { findPhrases } from "./phrases.ts";

/** Marks of a role or chat template, in lower case, and whether honest text may hold them. */
export const ROLE_MARKS: readonly (readonly [mark: string, what: string, grave: boolean])[] = [
  ["<important", "a tag that addresses the model", true],
  ["<system", "a tag that addresses the model", true],
  ["</system", "a tag that addresses the model", true],
  ["<instructions", "a tag that addresses the model", true],
  ["<|im_start", "a chat template's marker", true],
  ["<|im_end", "a chat template's marker", true],
  ["<|system", "a chat template's marker", true],
  ["[inst]", "a chat template's marker", true],
  ["<<sys>>", "a chat template's marker", true],
  ["\nsystem:", "a line that poses as the system's", false],
  ["\nassistant:", "a line that poses as the assistant's", false],
];
/** Marks that are looked for in messages alone: no definition has been found to hold them. */
const MESSAGE_MARKS: readonly string[] = [
  "<|start_header_id|",
  "<start_of_turn",
  "<information>",
  "</function_results",
  "</tool_result",
  "<admin",
  "<|endoftext|",
  "<user_request",
  "\nhuman:",
  "### instruction",
  "[system]",
  "[/inst]",
];
/** Marks and phrases that honest text holds count only when this many stand together. */
const TOGETHER = 2;

/** Adds marks that speak to a model: tags and chat templates, and phrases that override, hide or direct. */
export function findMarks(plain: string, words: readonly string[], tally: Tally): void {
  const lower = `\n${plain.toLowerCase()}`;
  const weak = new Set<string>();
  for (const [mark, , grave] of ROLE_MARKS)
    if (lower.includes(mark)) {
      if (grave) tally.add("mark", "role-marker", mark);
      else weak.add("role-marker");
    }
  for (const mark of MESSAGE_MARKS) if (lower.includes(mark)) tally.add("mark", "role-marker", mark);
  for (const { kind, severity, says } of findPhrases(words)) {
    if (severity === "high") tally.add("mark", kind, says);
    if (severity === "medium") weak.add(`${kind}: ${says}`);
  }
  if (weak.size >= TOGETHER) for (const each of weak) tally.add("mark", each.split(":")[0] ?? each, each);
}
