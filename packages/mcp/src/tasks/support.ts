import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Names the task that a message belongs to, in its `_meta` (MCP 2025-11-25, Tasks, "Related Task Metadata"). */
export const RELATED_TASK = "io.modelcontextprotocol/related-task";
/** The one legacy version that has tasks. */
export const LEGACY_TASKS_VERSION = "2025-11-25";

/** What a server of the legacy era says of tasks in its capabilities: agents may make them of tool calls, list and cancel them. */
export const LEGACY_TASKS: JsonObject = { list: {}, cancel: {}, requests: { tools: { call: {} } } };

function at(value: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let found = value;
  for (const name of path) found = isJsonObject(found) ? found[name] : undefined;
  return found;
}

/** Whether a server of the legacy era takes tool calls as tasks (MCP 2025-11-25, Tasks, "Capability Negotiation"). */
export function supportsTasks(capabilities: JsonObject, version: string): boolean {
  return version === LEGACY_TASKS_VERSION && isJsonObject(at(capabilities, "tasks", "requests", "tools", "call"));
}

/** Refuses what a server was not asked for because it does not take it: the request has not left. */
export function tasksUnsupported(era: "modern" | "legacy"): CmcpError {
  const why =
    era === "modern"
      ? "the tool's server speaks MCP 2026-07-28, where the server decides what becomes a task"
      : "the tool's server takes no calls as tasks";
  return new CmcpError("TASK_NOT_SUPPORTED", why, { detail: { sent: 0 } });
}
