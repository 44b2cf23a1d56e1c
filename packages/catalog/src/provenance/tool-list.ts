import { hash } from "node:crypto";
import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Compares texts by code points: the order of UTF-16 code units is another one beyond U+FFFF. */
function byCodePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A value in the sorted-key form; `null` for a number that the form has no spelling for. */
function sortedKeyJson(value: JsonValue): string | null {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : null;
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return joined(value.map(sortedKeyJson), "[", "]");
  const names = Object.keys(value).toSorted(byCodePoints);
  const members = names.map((name) => {
    const written = sortedKeyJson(value[name] ?? null);
    return written === null ? null : `${quoted(name)}:${written}`;
  });
  return joined(members, "{", "}");
}

function joined(parts: readonly (string | null)[], open: string, close: string): string | null {
  return parts.includes(null) ? null : `${open}${parts.join(",")}${close}`;
}

/**
 * `sha256:` and hex over a live list of tools: name, description and input schema of each, sorted by name (MCP Server Provenance
 * Record v1, section 4; Registry Anchor Format v1, section 1). `null` for a list that the form has no spelling for, because a tool has
 * no name, or a schema has a number that is not a safe integer.
 */
export function toolListHash(tools: readonly JsonObject[]): string | null {
  const named: { readonly name: string; readonly tool: JsonObject }[] = [];
  for (const { name, description = null, inputSchema = null } of tools) {
    if (typeof name !== "string" || !(isJsonObject(inputSchema) || inputSchema === null)) return null;
    named.push({ name, tool: { name, description, input_schema: inputSchema } });
  }
  const sorted = named.toSorted((left, right) => byCodePoints(left.name, right.name)).map(({ tool }) => tool);
  const written = sortedKeyJson(sorted);
  return written === null ? null : `sha256:${hash("sha256", written)}`;
}
