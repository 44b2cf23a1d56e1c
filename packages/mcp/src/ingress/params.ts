import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { META } from "../modern/meta-keys.ts";
import { invalidParams } from "./refusal.ts";

const MAX_TOOL_NAME = 256;
/** The request's own metadata: it ends here, whatever goes on to a tool. */
const ENDS_HERE: readonly string[] = ["progressToken", META.protocolVersion, META.clientInfo, META.clientCapabilities, META.logLevel];

/** What is not implemented is refused by name, never accepted and dropped. */
function onlyKnown(params: JsonObject, known: readonly string[], method: string): void {
  const unknown = Object.keys(params).filter((key) => !known.includes(key));
  if (unknown.includes("task")) throw invalidParams(`${method}: tasks are not supported by this gateway yet`);
  if (unknown.includes("inputResponses") || unknown.includes("requestState")) throw invalidParams(`${method}: no input was required; input responses are not supported by this gateway yet`);
  if (unknown.includes("cursor")) throw invalidParams(`${method}: cursor is not valid; this gateway returns all tools at once`);
  if (unknown.length > 0) throw invalidParams(`${method} has a parameter this gateway does not support`);
}

function optionalObject(params: JsonObject, key: string): JsonObject | null {
  const value = params[key];
  if (value === undefined) return null;
  if (!isJsonObject(value)) throw invalidParams(`${key} must be an object`);
  return value;
}

/** `params._meta` without what speaks of the request itself: progress is not forwarded, and without a token none is owed. */
function readMeta(params: JsonObject): JsonObject | null {
  const kept = Object.entries(optionalObject(params, "_meta") ?? {}).filter(([key]) => !ENDS_HERE.includes(key));
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

/** Checks the parameters of a method that takes none but `_meta`. */
export function readNoParams(params: JsonObject, method: string): void {
  onlyKnown(params, ["_meta"], method);
  optionalObject(params, "_meta");
}

/** The parameters of `tools/call`. */
export function readToolCall(params: JsonObject): { name: string; arguments: JsonObject; meta: JsonObject | null } {
  onlyKnown(params, ["name", "arguments", "_meta"], "tools/call");
  const { name } = params;
  if (typeof name !== "string" || name === "" || name.length > MAX_TOOL_NAME) {
    throw invalidParams(`name must be a string of 1 to ${MAX_TOOL_NAME} characters`);
  }
  return { name, arguments: optionalObject(params, "arguments") ?? {}, meta: readMeta(params) };
}
