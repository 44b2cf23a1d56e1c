import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { TaskSupport } from "@cmcp/mcp";
import type { Catalog } from "@cmcp/catalog";
import type { DriftMonitor } from "./drift.ts";

/** How long a list of tools waits for servers that were never asked, in milliseconds. */
const MEET_MS = 1_000;

/**
 * Which of a server's tools can be called as tasks, by what it lists (MCP 2025-11-25, Tasks, "Tool-Level Negotiation").
 * The one thing of a live definition that agents are shown: a word of two, and no part of what was approved.
 */
export function taskSupportOf(listed: readonly JsonObject[]): ReadonlyMap<string, TaskSupport> {
  return new Map(
    listed.flatMap(({ name, execution }) => {
      const support = isJsonObject(execution) ? execution.taskSupport : undefined;
      return typeof name === "string" && (support === "optional" || support === "required")
        ? [[name, support] as const]
        : [];
    }),
  );
}

/** The same for tools that agents are shown. A server that was never asked is asked now; one that is slow is not waited for, and never twice. */
export async function offeredAsTasks(
  {
    catalog,
    drift,
  }: { readonly catalog: Pick<Catalog, "tools">; readonly drift: Pick<DriftMonitor, "meet" | "taskSupport"> },
  shown: readonly JsonObject[],
): Promise<ReadonlyMap<string, TaskSupport>> {
  const tools = shown.flatMap(({ name }) => (typeof name === "string" ? catalog.tools.get(name) : null) ?? []);
  const servers = new Map(tools.map(({ server }) => [server.identity, server]));
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, MEET_MS);
  await Promise.race([late.promise, Promise.all([...servers.values()].map((server) => drift.meet(server)))]);
  clearTimeout(timer);
  return new Map(
    tools.flatMap((tool) => {
      const support = drift.taskSupport(tool);
      return support === null ? [] : [[tool.toolName, support] as const];
    }),
  );
}
