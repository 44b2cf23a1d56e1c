import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { NEWEST_LEGACY_VERSION, isLegacyVersion, type LegacyVersion } from "../../versions.ts";
import { invalidParams } from "../refusal.ts";

const MAX_TOOL_NAME = 256;

/** What is not implemented is refused by name, never accepted and dropped. */
function onlyKnown(params: JsonObject, known: readonly string[], method: string): void {
  const unknown = Object.keys(params).filter((key) => !known.includes(key));
  if (unknown.includes("task")) throw invalidParams(`${method}: tasks are not supported by this gateway yet`);
  if (unknown.includes("cursor")) throw invalidParams(`${method}: cursor is not valid; this gateway returns all tools at once`);
  if (unknown.length > 0) throw invalidParams(`${method} has a parameter this gateway does not support`);
}

function optionalObject(params: JsonObject, key: string): JsonObject | null {
  const value = params[key];
  if (value === undefined) return null;
  if (!isJsonObject(value)) throw invalidParams(`${key} must be an object`);
  return value;
}

/** `params._meta` without `progressToken`: progress is not forwarded, and without it none is owed. */
function readMeta(params: JsonObject): JsonObject | null {
  const { progressToken: _, ...meta } = optionalObject(params, "_meta") ?? {};
  return Object.keys(meta).length === 0 ? null : meta;
}

/** MCP "Initialization": the requested version when it is spoken here, else the newest. */
export function readInitialize(params: JsonObject): LegacyVersion {
  const { protocolVersion, clientInfo } = params;
  if (typeof protocolVersion !== "string") throw invalidParams("protocolVersion must be a string");
  if (!isJsonObject(params.capabilities)) throw invalidParams("capabilities must be an object");
  if (!isJsonObject(clientInfo) || typeof clientInfo.name !== "string" || typeof clientInfo.version !== "string") {
    throw invalidParams("clientInfo needs a name and a version");
  }
  return isLegacyVersion(protocolVersion) ? protocolVersion : NEWEST_LEGACY_VERSION;
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
