import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { driftDigest } from "./hashes.ts";
import type { CatalogTool } from "./load.ts";

/** How a live tool differs from its approved definition. */
export type Drift = "changed" | "withdrawn";

/** Drift digest of a live tool; `null` when its definition cannot be read as one. */
function liveDigest(tool: JsonObject): string | null {
  const description: JsonValue = tool["description"] ?? "";
  const inputSchema: JsonValue = tool["inputSchema"] ?? {};
  const outputSchema: JsonValue = tool["outputSchema"] ?? null;
  if (typeof description !== "string" || !isJsonObject(inputSchema) || (outputSchema !== null && !isJsonObject(outputSchema))) return null;
  return driftDigest({ description, inputSchema, outputSchema });
}

/**
 * Holds a server's live listing to what was approved. A tool listed twice counts by its worst listing, and
 * tools the catalog does not have are nobody's business here: they cannot be called.
 */
export function findDrift(approved: Iterable<CatalogTool>, live: readonly JsonObject[]): ReadonlyMap<string, Drift> {
  const found = new Map<string, Drift>();
  for (const tool of approved) {
    const listed = live.filter(({ name }) => name === tool.toolName);
    if (listed.length === 0) found.set(tool.toolName, "withdrawn");
    else if (listed.some((one) => liveDigest(one) !== tool.driftDigest)) found.set(tool.toolName, "changed");
  }
  return found;
}
