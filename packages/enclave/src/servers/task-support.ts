import type { JsonObject } from "@cmcp/boundary";
import type { TaskSupport } from "@cmcp/mcp";
import type { Catalog } from "@cmcp/catalog";
import type { DriftMonitor } from "./drift.ts";

/** How long a list waits for servers that were never asked, in milliseconds. */
const FIRST_LIST_MS = 1_000;

/**
 * The task support of the listed tools, by name. A server that was never asked is asked now. A slow one is not waited
 * for, and never asked twice.
 */
export async function listTaskSupport(
  {
    catalog,
    drift,
  }: { readonly catalog: Pick<Catalog, "tools">; readonly drift: Pick<DriftMonitor, "listOnce" | "taskSupport"> },
  listed: readonly JsonObject[],
): Promise<ReadonlyMap<string, TaskSupport>> {
  const tools = listed.flatMap(({ name }) => (typeof name === "string" ? catalog.tools.get(name) : null) ?? []);
  const others = tools.filter(({ server }) => server.transport !== "gateway");
  const servers = new Map(others.map(({ server }) => [server.identity, server]));
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, FIRST_LIST_MS);
  await Promise.race([late.promise, Promise.all([...servers.values()].map((server) => drift.listOnce(server)))]);
  clearTimeout(timer);
  return new Map(
    tools.flatMap((tool) => {
      const support = drift.taskSupport(tool);
      return support === null ? [] : [[tool.toolName, support] as const];
    }),
  );
}
