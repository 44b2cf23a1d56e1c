import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { logLevel, type LogLevel } from "../log-level.ts";
import type { AgentRequest, GovernedMethod, ListenFilter } from "./ports.ts";
import { invalidParams } from "./refusal.ts";
import { forwardedMeta } from "./request-meta.ts";

/** Longest name of a tool or prompt, URI of a resource, cursor, and state of a request, in characters. */
const MAX_NAME = 256;
const MAX_URI = 2048;
const MAX_CURSOR = 4096;
const MAX_STATE = 65_536;
/** Resources one stream may follow. */
const MAX_FOLLOWED = 256;

/** What a governed request is, as far as its parameters say. */
export type Parsed = Pick<AgentRequest, "method" | "name" | "arguments" | "params" | "meta" | "input" | "task">;

/** What requests of one era may carry. */
export interface Era {
  /** Whether a request is sent again with the input it required. */
  readonly input: boolean;
  /** Whether a tool call may ask to become a task. */
  readonly task: boolean;
}

/** What is not implemented is refused by name, never accepted and dropped. */
function onlyKnown(params: JsonObject, known: readonly string[], method: string): void {
  const unknown = Object.keys(params).filter((key) => !known.includes(key));
  if (unknown.includes("task"))
    throw invalidParams(
      `${method} takes no task: MCP 2025-11-25 has it for tools/call, MCP 2026-07-28 leaves it to the server`,
    );
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
  if (typeof value !== "string" || value === "" || value.length > max)
    throw invalidParams(`${key} must be a string of 1 to ${max} characters`);
  return value;
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
export function readLogLevel(params: JsonObject): LogLevel {
  onlyKnown(params, ["level", "_meta"], "logging/setLevel");
  const level = logLevel(params.level);
  if (level === undefined) throw invalidParams("level is no log level");
  return level;
}

/** Whether `subscriptions/listen` asks to hear of tasks, which is the Tasks extension's. */
export function wantsTasks(params: JsonObject): boolean {
  return isJsonObject(params.notifications) && params.notifications.taskIds !== undefined;
}

/** `notifications` of `subscriptions/listen`; of tasks nothing is promised. */
export function readListenFilter(params: JsonObject): ListenFilter {
  onlyKnown(params, ["notifications", "_meta"], "subscriptions/listen");
  const wanted = optionalObject(params, "notifications");
  if (wanted === null) throw invalidParams("subscriptions/listen needs the notifications to listen for");
  const { resourceSubscriptions = [] } = wanted;
  const uris =
    Array.isArray(resourceSubscriptions) &&
    resourceSubscriptions.every((uri) => typeof uri === "string" && uri.length <= MAX_URI);
  if (!uris || resourceSubscriptions.length > MAX_FOLLOWED)
    throw invalidParams(`resourceSubscriptions must be at most ${MAX_FOLLOWED} URIs`);
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

/** `task` of a call (MCP 2025-11-25, Tasks, "Task Parameters"). */
function readTaskWish(params: JsonObject): AgentRequest["task"] {
  const wish = optionalObject(params, "task");
  if (wish === null) return null;
  onlyKnown(wish, ["ttl"], "task");
  const { ttl = null } = wish;
  if (ttl !== null && !(typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl >= 0))
    throw invalidParams("task.ttl must be a number of milliseconds");
  return { ttlMs: ttl };
}

const OWN_KEYS = ["_meta", "task", ...INPUT_KEYS];

/** Most parameters are the tool's alone, and are not copied to leave something out. */
function withoutOwn(params: JsonObject): JsonObject {
  if (!OWN_KEYS.some((key) => Object.hasOwn(params, key))) return params;
  return Object.fromEntries(Object.entries(params).filter(([key]) => !OWN_KEYS.includes(key)));
}

/** The reference a completion is for: a prompt by name, a resource template by URI. */
function readReference(params: JsonObject): string {
  const ref = optionalObject(params, "ref");
  const argument = optionalObject(params, "argument");
  if (typeof argument?.name !== "string" || typeof argument.value !== "string")
    throw invalidParams("completion/complete needs an argument with name and value");
  optionalObject(params, "context");
  if (ref?.type === "ref/prompt") return requiredText(ref, "name", MAX_NAME);
  if (ref?.type === "ref/resource") return requiredText(ref, "uri", MAX_URI);
  throw invalidParams("ref must be of type ref/prompt or ref/resource");
}

/** The parameters of a governed request. @param era what requests of the agent's era may carry */
export function readGoverned(method: GovernedMethod, params: JsonObject, era: Era): Parsed {
  const meta = forwardedMeta(optionalObject(params, "_meta"));
  const again = era.input && method !== "completion/complete" ? INPUT_KEYS : [];
  const parsed = (name: string, args: JsonObject = {}): Parsed => ({
    method,
    name,
    arguments: args,
    params: withoutOwn(params),
    meta,
    input: again.length === 0 ? null : readInput(params),
    task: null,
  });
  switch (method) {
    case "tools/call":
      onlyKnown(params, ["name", "arguments", "_meta", ...again, ...(era.task ? ["task"] : [])], method);
      return {
        ...parsed(requiredText(params, "name", MAX_NAME), optionalObject(params, "arguments") ?? {}),
        task: readTaskWish(params),
      };
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
    case "tasks/get":
    case "tasks/result":
    case "tasks/cancel":
      // The official client of 2025-11-25 repeats `task` here, where it says nothing.
      onlyKnown(params, ["taskId", "_meta", ...(era.task ? ["task"] : [])], method);
      return { ...parsed(requiredText(params, "taskId", MAX_NAME)), input: null };
    case "tasks/update": {
      onlyKnown(params, ["taskId", "inputResponses", "_meta"], method);
      const responses = optionalObject(params, "inputResponses");
      if (responses === null) throw invalidParams("tasks/update needs the responses to give");
      return { ...parsed(requiredText(params, "taskId", MAX_NAME)), input: { responses, state: null } };
    }
  }
}
