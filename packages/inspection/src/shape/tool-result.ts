import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { block, isOfUnknownType, MAX_PARTS } from "./content.ts";
import { members, type Shape } from "./members.ts";

/** A tool's result in the shape the protocol gives it. */
export interface ToolResult {
  readonly result: JsonObject;
  readonly stripped: readonly string[];
  /** Content blocks of types the protocol does not have. */
  readonly withheld: number;
}

const anything: Shape = (value) => value;

/** Rebuilds a tool's result (MCP 2025-11-25 "CallToolResult"); `null` where a part has another shape than its type wants. */
export function readToolResult(result: JsonObject): ToolResult | null {
  const { content, isError, resultType, ...others } = result;
  if (content !== undefined && (!Array.isArray(content) || content.length > MAX_PARTS)) return null;
  if (isError !== undefined && typeof isError !== "boolean") return null;
  if (resultType !== undefined && resultType !== "complete") return null;
  const stripped: string[] = [];
  let withheld = 0;
  const parts: JsonValue[] = [];
  for (const [index, part] of (content ?? []).entries()) {
    const at = `content[${index}]`;
    if (isOfUnknownType(part)) {
      withheld += 1;
      stripped.push(at);
      continue;
    }
    const read = block(part, at, stripped);
    if (read === undefined) return null;
    parts.push(read);
  }
  const rest = members({}, { structuredContent: anything })(others, "", stripped);
  return {
    result: {
      ...(content === undefined ? {} : { content: parts }),
      ...rest,
      ...(isError === undefined ? {} : { isError }),
    },
    stripped,
    withheld,
  };
}
