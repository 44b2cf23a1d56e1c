import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { driftDigest } from "./hashes.ts";
import { promptDriftDigest, type CatalogPrompt, type PromptArgument } from "./prompt/prompt.ts";
import { resourceDriftDigest, type CatalogResource } from "./resource/resource.ts";
import type { CatalogTool } from "./tool.ts";

/** How something live differs from its approved definition, or that the record of its server's provenance is not about what the server lists. */
export type Drift = "changed" | "withdrawn" | "other-provenance";

/** Drift digest of a live tool; `null` when its definition cannot be read as one. */
function liveToolDigest(tool: JsonObject): string | null {
  const description: JsonValue = tool["description"] ?? "";
  const inputSchema: JsonValue = tool["inputSchema"] ?? {};
  const outputSchema: JsonValue = tool["outputSchema"] ?? null;
  if (
    typeof description !== "string" ||
    !isJsonObject(inputSchema) ||
    (outputSchema !== null && !isJsonObject(outputSchema))
  )
    return null;
  return driftDigest({ description, inputSchema, outputSchema });
}

function isOptionalText(value: JsonValue): value is string | null {
  return value === null || typeof value === "string";
}

/** Drift digest of a live resource or template; `null` when its definition cannot be read as one. */
function liveResourceDigest(resource: JsonObject): string | null {
  const { name, title = null, description = "", mimeType = null } = resource;
  if (
    typeof name !== "string" ||
    !isOptionalText(title) ||
    typeof description !== "string" ||
    !isOptionalText(mimeType)
  )
    return null;
  return resourceDriftDigest({ name, title, description, mimeType });
}

function liveArgument(value: JsonValue): PromptArgument | null {
  if (!isJsonObject(value)) return null;
  const { name, title = null, description = "", required = false } = value;
  return typeof name === "string" &&
    isOptionalText(title) &&
    typeof description === "string" &&
    typeof required === "boolean"
    ? { name, title, description, required }
    : null;
}

/** Drift digest of a live prompt; `null` when its definition cannot be read as one. */
function livePromptDigest(prompt: JsonObject): string | null {
  const { title = null, description = "", arguments: list = [] } = prompt;
  if (!isOptionalText(title) || typeof description !== "string" || !Array.isArray(list)) return null;
  const read = list.map(liveArgument);
  const known = read.filter((one) => one !== null);
  return known.length < read.length ? null : promptDriftDigest({ title, description, arguments: known });
}

/** How a kind of item is listed: the member with its name, its name there and in the catalog, and what it is compared by. */
interface Listing<Item> {
  readonly key: string;
  readonly listedName?: (item: Item) => string;
  readonly nameOf: (item: Item) => string;
  readonly digest: (one: JsonObject) => string | null;
}

/**
 * A duplicate listing counts as changed if any of its copies differs. Items that are not in the catalog are ignored:
 * agents cannot request them.
 */
function driftOf<Item extends { readonly driftDigest: string }>(
  approved: Iterable<Item>,
  live: readonly JsonObject[],
  { key, nameOf, listedName = nameOf, digest }: Listing<Item>,
): ReadonlyMap<string, Drift> {
  const listings = Map.groupBy(live, (one) => one[key]);
  const found = new Map<string, Drift>();
  for (const item of approved) {
    const name = nameOf(item);
    const listed = listings.get(listedName(item)) ?? [];
    if (listed.length === 0) found.set(name, "withdrawn");
    else if (listed.some((one) => digest(one) !== item.driftDigest)) found.set(name, "changed");
  }
  return found;
}

/** Holds a server's live `tools/list` to the tools approved of it. */
export function findDrift(approved: Iterable<CatalogTool>, live: readonly JsonObject[]): ReadonlyMap<string, Drift> {
  return driftOf(approved, live, {
    key: "name",
    listedName: ({ nameAtServer }) => nameAtServer,
    nameOf: ({ toolName }) => toolName,
    digest: liveToolDigest,
  });
}

/**
 * Holds a server's live `resources/list` and `resources/templates/list` to the resources approved of it. A
 * resource that is not listed but fits an approved template is withdrawn all the same: it was approved as listed.
 */
export function findResourceDrift(
  approved: Iterable<CatalogResource>,
  resources: readonly JsonObject[],
  templates: readonly JsonObject[],
): ReadonlyMap<string, Drift> {
  const all = [...approved];
  const fixed = driftOf(
    all.filter(({ template }) => template === null),
    resources,
    { key: "uri", nameOf: ({ id }) => id, digest: liveResourceDigest },
  );
  const patterns = driftOf(
    all.filter(({ template }) => template !== null),
    templates,
    { key: "uriTemplate", nameOf: ({ id }) => id, digest: liveResourceDigest },
  );
  return new Map([...fixed, ...patterns]);
}

/** Holds a server's live `prompts/list` to the prompts approved of it. */
export function findPromptDrift(
  approved: Iterable<CatalogPrompt>,
  live: readonly JsonObject[],
): ReadonlyMap<string, Drift> {
  return driftOf(approved, live, { key: "name", nameOf: ({ promptName }) => promptName, digest: livePromptDigest });
}
