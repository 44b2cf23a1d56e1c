import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Members of a tools/call result (MCP 2025-11-25 "CallToolResult"; `resultType` since 2026-07-28). */
const MEMBERS: ReadonlySet<string> = new Set(["content", "structuredContent", "isError", "_meta", "resultType"]);

function isBlock(value: JsonValue): boolean {
  if (!isJsonObject(value) || typeof value["type"] !== "string") return false;
  return value["type"] !== "text" || typeof value["text"] === "string";
}

/** Whether a result has the shape the protocol gives it, so that every part of it can be looked at. */
export function isCallToolResult(result: JsonObject): boolean {
  const { content, isError, resultType } = result;
  if (content !== undefined && !(Array.isArray(content) && content.every(isBlock))) return false;
  return (
    (isError === undefined || typeof isError === "boolean") && (resultType === undefined || resultType === "complete")
  );
}

/** The result without members the protocol does not give it. */
export function onlyProtocolMembers(result: JsonObject, removed: string[]): JsonObject {
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(result)) {
    if (MEMBERS.has(name)) out[name] = value;
    else removed.push(name);
  }
  return out;
}
