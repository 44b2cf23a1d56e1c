import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { rawEntries } from "../entry/list.ts";
import type { Finding } from "./finding.ts";
import { scanTools, type ScannedTool } from "./scan.ts";

function text(value: JsonValue | undefined, what: string, index: number): string {
  if (typeof value !== "string") throw new CmcpError("CATALOG_INVALID", `catalog entry #${index}: ${what} is not a text`);
  return value;
}

function schema(value: JsonValue | undefined, what: string, index: number): JsonObject {
  if (!isJsonObject(value)) throw new CmcpError("CATALOG_INVALID", `catalog entry #${index}: ${what} is not an object`);
  return value;
}

function toolOf(raw: JsonValue, index: number): ScannedTool {
  const entry = schema(raw, "the entry", index);
  const server = schema(entry.server, "server", index);
  const definition = schema(entry.approved_definition, "approved_definition", index);
  const displayName = text(server.display_name, "server.display_name", index);
  return {
    toolName: text(entry.tool_name, "tool_name", index),
    server: text(server.url ?? displayName, "server.url", index),
    displayName,
    description: text(definition.description, "approved_definition.description", index),
    inputSchema: schema(definition.input_schema, "approved_definition.input_schema", index),
    outputSchema: definition.output_schema === undefined || definition.output_schema === null ? null : schema(definition.output_schema, "approved_definition.output_schema", index),
  };
}

/**
 * Scans a catalog as its file has it. It asks for no more shape than the scan needs, so that a catalog that
 * would not load can still be looked at.
 *
 * @throws CmcpError `CATALOG_INVALID` for what has no such shape.
 */
export function scanCatalog(raw: JsonValue): Finding[] {
  return scanTools(rawEntries(raw).map(toolOf));
}
