import { createHash } from "node:crypto";
import { CmcpError, canonicalBytes, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { rawEntries } from "./entry/list.ts";

function prefixedSha256(value: JsonValue): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(value)).digest("hex")}`;
}

/** `sha256:` and lowercase hex over the canonical `approved_definition` exactly as the catalog writes it. */
export function definitionHash(approvedDefinition: JsonObject): string {
  return prefixedSha256(approvedDefinition);
}

/** What identifies a tool on both sides: the approved entry and the server's live `tools/list`. */
export interface ToolDefinition {
  readonly description: string;
  /** Missing in the live tool is `{}`. */
  readonly inputSchema: JsonObject;
  /** Missing in the live tool is `null`. */
  readonly outputSchema: JsonObject | null;
}

/** `sha256:` and hex over canonical `{description, input_schema, output_schema}`; equal when the tool did not drift. */
export function driftDigest(definition: ToolDefinition): string {
  return prefixedSha256({
    description: definition.description,
    input_schema: definition.inputSchema,
    output_schema: definition.outputSchema,
  });
}

function sortKey(entry: JsonValue): string {
  const name = isJsonObject(entry) ? entry.tool_name : undefined;
  if (typeof name !== "string") throw new CmcpError("CATALOG_INVALID", "a catalog entry has no tool_name");
  return name;
}

/**
 * `sha256:` and hex over the canonical array of raw entries sorted by `tool_name`; the order in the file
 * does not matter.
 *
 * @throws CmcpError `CATALOG_INVALID` when the document is not a list of named entries,
 * `JSON_NOT_CANONICALIZABLE` when it holds what canonical JSON cannot carry.
 */
export function catalogHash(raw: JsonValue): string {
  const named = rawEntries(raw).map((entry) => ({ key: sortKey(entry), entry }));
  named.sort((left, right) => (left.key < right.key ? -1 : Number(left.key > right.key)));
  return prefixedSha256(named.map(({ entry }) => entry));
}
