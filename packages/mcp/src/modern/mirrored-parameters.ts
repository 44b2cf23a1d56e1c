import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { encodeHeaderValue } from "./header-value.ts";

/** Marks a parameter whose value goes into `Mcp-Param-<annotation>` too (MCP 2026-07-28, Streamable HTTP, "Schema Extension"). */
const ANNOTATION = "x-mcp-header";
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
const MAX_MIRRORED = 32;

function text(value: JsonValue | undefined): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || (typeof value === "number" && Number.isSafeInteger(value))) return String(value);
  return null;
}

function invalid(why: string): CmcpError {
  return new CmcpError("CATALOG_INVALID", `the tool's approved input schema ${why}`, { detail: { sent: 0 } });
}

/**
 * The `Mcp-Param-*` headers of a call: one for each argument that the tool's input schema marks and that has
 * a value. Only marks reached through `properties` alone count.
 *
 * @throws CmcpError `CATALOG_INVALID` for a mark that is no header name, not unique or beyond 32, and for a value no header can carry.
 */
export function mirroredParameters(inputSchema: JsonObject, args: JsonObject): Record<string, string> {
  const headers: Record<string, string> = {};
  const marked = new Set<string>();
  const visit = (schema: JsonObject, value: JsonValue | undefined): void => {
    const name = schema[ANNOTATION];
    if (name !== undefined) {
      if (typeof name !== "string" || !TOKEN.test(name)) throw invalid(`has an ${ANNOTATION} that is no header name`);
      const header = `mcp-param-${name.toLowerCase()}`;
      if (marked.has(header)) throw invalid(`uses one ${ANNOTATION} twice`);
      if (marked.add(header).size > MAX_MIRRORED) throw invalid(`mirrors more than ${MAX_MIRRORED} parameters`);
      const mirrored = text(value);
      if (mirrored !== null) headers[header] = encodeHeaderValue(mirrored);
    }
    if (!isJsonObject(schema.properties)) return;
    for (const [key, property] of Object.entries(schema.properties)) {
      if (isJsonObject(property)) visit(property, isJsonObject(value) ? value[key] : undefined);
    }
  };
  visit(inputSchema, args);
  return headers;
}

/**
 * The same schema without those marks. An agent shown none mirrors nothing, so that arguments stay out of
 * headers, which the host reads.
 */
export function withoutMirroring(schema: JsonObject): JsonObject {
  const { [ANNOTATION]: _, ...rest } = schema;
  if (!isJsonObject(rest.properties)) return rest;
  const properties = Object.entries(rest.properties).map(
    ([key, property]) => [key, isJsonObject(property) ? withoutMirroring(property) : property] as const,
  );
  return { ...rest, properties: Object.fromEntries(properties) };
}
