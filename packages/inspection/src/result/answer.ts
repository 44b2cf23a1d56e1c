import type { JsonObject } from "@cmcp/boundary";
import { block, contents, MAX_DESCRIPTION, MAX_PARTS, MAX_TEXT, role } from "../shape/content.ts";
import { flag, integer, list, members, text, word, type Shape } from "../shape/members.ts";
import { withheldResult, type InspectedResult, type ResultOptions } from "./inspect.ts";
import { removeLookAlikes } from "./look-alike.ts";
import { isLarger } from "./size.ts";

/** Methods other than `tools/call` whose results are inspected. */
export type AnsweredMethod = "resources/read" | "prompts/get" | "completion/complete";

/** What was asked: of a resource its URI, which each part of the answer has to have. */
export type AnsweredRequest =
  | { readonly method: "resources/read"; readonly uri: string }
  | { readonly method: "prompts/get" | "completion/complete" };

/** Most values of a completion (MCP 2025-11-25 "CompleteResult"). */
const MAX_VALUES = 100;

/** MCP 2026-07-28 "CacheableResult". */
const CACHING = { ttlMs: integer(), cacheScope: word("public", "private") };

/** The result's shape in the protocol. An unknown or malformed part refuses the whole, as what is left could mean something else. */
function shapeOf(asked: AnsweredRequest): Shape {
  switch (asked.method) {
    case "resources/read":
      return members({ contents: list(contents(word(asked.uri)), MAX_PARTS) }, CACHING);
    case "prompts/get":
      return members(
        { messages: list(members({ role, content: block }), MAX_PARTS) },
        { description: text(MAX_DESCRIPTION) },
      );
    case "completion/complete":
      return members({
        completion: members({ values: list(text(MAX_TEXT), MAX_VALUES) }, { total: integer(), hasMore: flag }),
      });
  }
}

/**
 * Inspects the result of a method other than `tools/call`: size and shape, and members posing as the gateway's. Resources, prompts and
 * completions have no schema by which fields could be told apart, so nothing of them is delivered where fields are redacted.
 */
export function inspectAnswer(asked: AnsweredRequest, result: JsonObject, options: ResultOptions): InspectedResult {
  if (isLarger(result, options.maxBytes)) return withheldResult("size_exceeded");
  const stripped: string[] = [];
  const { resultType, ...members } = result;
  const read =
    resultType === undefined || resultType === "complete" ? shapeOf(asked)(members, "", stripped) : undefined;
  if (read === undefined) return withheldResult("schema_violation");
  if (options.redactFields.length > 0) return withheldResult("unprojectable");
  const own = removeLookAlikes(read as JsonObject, stripped);
  return {
    outcome: stripped.length === 0 ? "pass" : "surplus_stripped",
    result: own,
    stripped,
    redacted: 0,
    withheld: 0,
  };
}
