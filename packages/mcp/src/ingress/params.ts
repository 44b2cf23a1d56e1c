import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { META } from "../modern/meta-keys.ts";
import type { AgentRequest, GovernedMethod, ListenFilter } from "./ports.ts";
import { invalidParams } from "./refusal.ts";

/** Longest name of a tool or prompt, URI of a resource, cursor, and state of a request, in characters. */
const MAX_NAME = 256;
const MAX_URI = 2048;
const MAX_CURSOR = 4096;
const MAX_STATE = 65_536;
/** Resources one stream may follow. */
const MAX_FOLLOWED = 256;
/** The request's own metadata: it ends here, whatever goes on to a server. */
const ENDS_HERE: readonly string[] = ["progressToken", META.protocolVersion, META.clientInfo, META.clientCapabilities, META.logLevel];
const LOG_LEVELS: readonly JsonValue[] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** What a governed request is, as far as its parameters say. */
export type Parsed = Pick<AgentRequest, "method" | "name" | "arguments" | "params" | "meta" | "input">;

/** What is not implemented is refused by name, never accepted and dropped. */
function onlyKnown(params: JsonObject, known: readonly string[], method: string): void {
  const unknown = Object.keys(params).filter((key) => !known.includes(key));
  if (unknown.includes("task")) throw invalidParams(`${method}: tasks are not supported by this gateway yet`);
  if (unknown.length > 0) throw invalidParams(`${method} has a parameter this gateway does not support`);
}

function optionalObject(params: JsonObject, key: string): JsonObject | null {
  const value = params[key];
  if (value === undefined) return null;
  if (!isJsonObject(value)) throw invalidParams(`${key} must be an object`);
  return value;
}

function requiredText(params: JsonObject, key: string, max: number): string {
  const value = params[key];
  if (typeof value !== "string" || value === "" || value.length > max) throw invalidParams(`${key} must be a string of 1 to ${max} characters`);
  return value;
}

/** `params._meta` without what speaks of the request itself. */
function readMeta(params: JsonObject): JsonObject | null {
  const kept = Object.entries(optionalObject(params, "_meta") ?? {}).filter(([key]) => !ENDS_HERE.includes(key));
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

/** `params._meta.progressToken`, or `null` when no progress is wanted (MCP, "Progress"). */
export function readProgressToken(params: JsonObject): string | number | null {
  const token = optionalObject(params, "_meta")?.progressToken;
  if (token === undefined) return null;
  const valid = typeof token === "string" ? token.length <= MAX_NAME : Number.isSafeInteger(token);
  if (!valid) throw invalidParams("progressToken must be a string or an integer");
  return token as string | number;
}

/** Checks the parameters of a method that takes none but `_meta`. */
export function readNoParams(params: JsonObject, method: string): void {
  onlyKnown(params, ["_meta"], method);
  optionalObject(params, "_meta");
}

/** The cursor of a list, `null` for its first page. */
export function readCursor(params: JsonObject, method: string): string | null {
  onlyKnown(params, ["cursor", "_meta"], method);
  optionalObject(params, "_meta");
  return params.cursor === undefined ? null : requiredText(params, "cursor", MAX_CURSOR);
}

/** `level` of `logging/setLevel`. */
export function readLogLevel(params: JsonObject): string {
  onlyKnown(params, ["level", "_meta"], "logging/setLevel");
  if (typeof params.level !== "string" || !LOG_LEVELS.includes(params.level)) throw invalidParams("level is no log level");
  return params.level;
}

/** `notifications` of `subscriptions/listen`. */
export function readListenFilter(params: JsonObject): ListenFilter {
  onlyKnown(params, ["notifications", "_meta"], "subscriptions/listen");
  const wanted = optionalObject(params, "notifications");
  if (wanted === null) throw invalidParams("subscriptions/listen needs the notifications to listen for");
  const { resourceSubscriptions = [] } = wanted;
  const uris = Array.isArray(resourceSubscriptions) && resourceSubscriptions.every((uri) => typeof uri === "string" && uri.length <= MAX_URI);
  if (!uris || resourceSubscriptions.length > MAX_FOLLOWED) throw invalidParams(`resourceSubscriptions must be at most ${MAX_FOLLOWED} URIs`);
  const flag = (key: string): boolean => {
    const value = wanted[key] ?? false;
    if (typeof value !== "boolean") throw invalidParams(`${key} must be true or false`);
    return value;
  };
  return {
    toolsListChanged: flag("toolsListChanged"),
    promptsListChanged: flag("promptsListChanged"),
    resourcesListChanged: flag("resourcesListChanged"),
    resourceSubscriptions: resourceSubscriptions as string[],
  };
}

const INPUT_KEYS = ["inputResponses", "requestState"];

/** What an agent gives to a request that required input (MCP 2026-07-28, "InputResponseRequestParams"). */
function readInput(params: JsonObject): AgentRequest["input"] {
  const responses = optionalObject(params, "inputResponses");
  const state = params.requestState === undefined ? null : requiredText(params, "requestState", MAX_STATE);
  return responses === null && state === null ? null : { responses, state };
}

function withoutOwn(params: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(params).filter(([key]) => key !== "_meta" && !INPUT_KEYS.includes(key)));
}

/** The reference a completion is for: a prompt by name, a resource template by URI. */
function readReference(params: JsonObject): string {
  const ref = optionalObject(params, "ref");
  const argument = optionalObject(params, "argument");
  if (typeof argument?.name !== "string" || typeof argument.value !== "string") throw invalidParams("completion/complete needs an argument with name and value");
  optionalObject(params, "context");
  if (ref?.type === "ref/prompt") return requiredText(ref, "name", MAX_NAME);
  if (ref?.type === "ref/resource") return requiredText(ref, "uri", MAX_URI);
  throw invalidParams("ref must be of type ref/prompt or ref/resource");
}

/**
 * The parameters of a governed request.
 * @param modern whether the era has requests that are sent again with input
 */
export function readGoverned(method: GovernedMethod, params: JsonObject, modern: boolean): Parsed {
  const meta = readMeta(params);
  const again = modern && method !== "completion/complete" ? INPUT_KEYS : [];
  const parsed = (name: string, args: JsonObject = {}): Parsed => ({ method, name, arguments: args, params: withoutOwn(params), meta, input: again.length === 0 ? null : readInput(params) });
  switch (method) {
    case "tools/call":
    case "prompts/get":
      onlyKnown(params, ["name", "arguments", "_meta", ...again], method);
      return parsed(requiredText(params, "name", MAX_NAME), optionalObject(params, "arguments") ?? {});
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      onlyKnown(params, ["uri", "_meta", ...again], method);
      return parsed(requiredText(params, "uri", MAX_URI));
    case "completion/complete":
      onlyKnown(params, ["ref", "argument", "context", "_meta"], method);
      return parsed(readReference(params));
  }
}
