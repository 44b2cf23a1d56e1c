import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { Detectors } from "@cmcp/findings";
import { readDocument } from "../entry/document.ts";
import type { Finding } from "./finding.ts";
import { scanPrompts, scanResource, scanTools, type ScannedTool } from "./scan.ts";

function text(value: JsonValue | undefined, what: string, index: number): string {
  if (typeof value !== "string")
    throw new CmcpError("CATALOG_INVALID", `catalog entry #${index}: ${what} is not a text`);
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
    outputSchema:
      definition.output_schema === undefined || definition.output_schema === null
        ? null
        : schema(definition.output_schema, "approved_definition.output_schema", index),
  };
}

/** Names and display names of a catalog's servers; entries without a known one are shown with the name they give. */
function displayNames(raw: readonly JsonValue[] | null): ReadonlyMap<string, { server: string; displayName: string }> {
  return new Map(
    (raw ?? []).map((entry, index) => {
      const server = schema(entry, "the server", index);
      const name = text(server.name, "name", index);
      return [
        name,
        {
          server: text(server.url, "url", index),
          displayName: text(server.display_name ?? name, "display_name", index),
        },
      ];
    }),
  );
}

/** A resource or prompt entry: the member that names it, its server, and its definition. */
function described(
  raw: JsonValue,
  names: readonly string[],
  servers: ReturnType<typeof displayNames>,
  index: number,
): { id: string; server: string; displayName: string; description: string; definition: JsonObject } {
  const entry = schema(raw, "the entry", index);
  const definition = schema(entry.approved_definition, "approved_definition", index);
  const server = text(entry.server, "server", index);
  const id = text(
    names.map((name) => entry[name]).find((value) => value !== undefined),
    names.join(" or "),
    index,
  );
  return {
    id,
    ...(servers.get(server) ?? { server, displayName: server }),
    description: text(definition.description ?? "", "approved_definition.description", index),
    definition,
  };
}

/**
 * Scans a catalog as its file has it. It asks for no more shape than the scan needs, so that a catalog that
 * would not load can still be looked at.
 *
 * @throws CmcpError `CATALOG_INVALID` for what has no such shape.
 */
export function scanCatalog(raw: JsonValue, detectors: Detectors | null = null): Finding[] {
  const { entries, servers, resources, prompts } = readDocument(raw);
  const names = displayNames(servers);
  return [
    ...scanTools(entries.map(toolOf), detectors),
    ...(resources ?? []).flatMap((entry, index) =>
      scanResource(described(entry, ["uri", "uri_template"], names, index), detectors),
    ),
    ...scanPrompts(
      (prompts ?? []).map((entry, index) => {
        const { id, ...rest } = described(entry, ["prompt_name"], names, index);
        return { promptName: id, ...rest };
      }),
      detectors,
    ),
  ];
}
