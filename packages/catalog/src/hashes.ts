import { hash } from "node:crypto";
import { CmcpError, canonicalBytes, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { readDocument } from "./entry/document.ts";

/** `sha256:` and lowercase hex over the canonical form of a value. */
export function prefixedSha256(value: JsonValue): string {
  return `sha256:${hash("sha256", canonicalBytes(value))}`;
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

/** Entries in the order of what names them. @throws CmcpError `CATALOG_INVALID` for one without a name */
function sorted(entries: readonly JsonValue[], ...names: readonly string[]): JsonValue[] {
  const keyed = entries.map((entry) => {
    const key = names
      .map((name) => (isJsonObject(entry) ? entry[name] : undefined))
      .find((value) => value !== undefined);
    if (typeof key !== "string") throw new CmcpError("CATALOG_INVALID", `a catalog entry has no ${names.join(" or ")}`);
    return { key, entry };
  });
  keyed.sort((left, right) => (left.key < right.key ? -1 : Number(left.key > right.key)));
  return keyed.map(({ entry }) => entry);
}

/**
 * `sha256:` and hex over a catalog; the order in the file does not matter. A catalog of tools alone is the
 * canonical array of its raw entries sorted by `tool_name`. One with further sections is the canonical object of
 * `entries` and of each section it has: `servers` sorted by `name`, `resources` by `uri` or `uri_template`,
 * `prompts` by `prompt_name`.
 *
 * @throws CmcpError `CATALOG_INVALID` when the document is not a catalog of named entries,
 * `JSON_NOT_CANONICALIZABLE` when it holds what canonical JSON cannot carry.
 */
export function catalogHash(raw: JsonValue): string {
  const { entries, servers, resources, prompts } = readDocument(raw);
  const tools = sorted(entries, "tool_name");
  if (servers === null && resources === null && prompts === null) return prefixedSha256(tools);
  return prefixedSha256({
    entries: tools,
    ...(servers === null ? {} : { servers: sorted(servers, "name") }),
    ...(resources === null ? {} : { resources: sorted(resources, "uri", "uri_template") }),
    ...(prompts === null ? {} : { prompts: sorted(prompts, "prompt_name") }),
  });
}

/** @param pinned `sha256:` and hex; `null` where none is pinned. @throws CmcpError `CATALOG_HASH_MISMATCH` */
export function requireCatalogHash(hash: string, pinned: string | null): void {
  if (pinned !== null && pinned !== hash)
    throw new CmcpError("CATALOG_HASH_MISMATCH", `the catalog hashes to ${hash}, pinned is ${pinned}`);
}
