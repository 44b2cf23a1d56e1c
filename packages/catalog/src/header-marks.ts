import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Marks a parameter whose value travels in a header too (MCP 2026-07-28, Streamable HTTP, "Schema Extension"). */
const MARK = "x-mcp-header";
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PRIMITIVES: readonly JsonValue[] = ["string", "integer", "boolean"];

/** Keywords of JSON Schema 2020-12 (and the older `definitions`, `additionalItems`) whose value holds schemas. */
const IN_MAPS: readonly string[] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const IN_PLACE: readonly string[] = [
  "items",
  "additionalItems",
  "prefixItems",
  "contains",
  "additionalProperties",
  "unevaluatedItems",
  "unevaluatedProperties",
  "propertyNames",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
];

/** Subschemas of a schema, each with whether a chain of `properties` alone leads to it. */
function* subschemas(
  schema: JsonObject,
  reachable: boolean,
): Generator<{ readonly schema: JsonObject; readonly reachable: boolean }> {
  for (const keyword of IN_MAPS) {
    const map = schema[keyword];
    if (!isJsonObject(map)) continue;
    for (const member of Object.values(map))
      if (isJsonObject(member)) yield { schema: member, reachable: reachable && keyword === "properties" };
  }
  for (const keyword of IN_PLACE) {
    const value = schema[keyword];
    for (const member of Array.isArray(value) ? value : [value])
      if (isJsonObject(member)) yield { schema: member, reachable: false };
  }
}

/**
 * Why the header marks of an input schema are not ones that a client may follow; `null` when they are. Clients
 * must leave such a tool out (MCP 2026-07-28, Tools, "x-mcp-header").
 */
export function headerMarksProblem(inputSchema: JsonObject): string | null {
  const seen = new Set<string>();
  const waiting = [...subschemas(inputSchema, true)];
  if (inputSchema[MARK] !== undefined) return `${MARK} stands on the schema itself`;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { schema, reachable } = next;
    waiting.push(...subschemas(schema, reachable));
    const mark = schema[MARK];
    if (mark === undefined) continue;
    if (!reachable) return `${MARK} stands where no chain of properties leads`;
    if (typeof mark !== "string" || !TOKEN.test(mark)) return `${MARK} is not the name of a header`;
    if (!PRIMITIVES.includes(schema.type ?? null))
      return `${MARK} marks something else than a string, an integer or a boolean`;
    if (seen.has(mark.toLowerCase())) return `${MARK} has a duplicate name`;
    seen.add(mark.toLowerCase());
  }
  return null;
}
