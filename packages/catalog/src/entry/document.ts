import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { MAX_ENTRIES, MAX_PROMPTS, MAX_RESOURCES, MAX_SERVERS } from "../limits.ts";

/** What a catalog may hold beside its tools, and how much of each. */
const SECTIONS = { servers: MAX_SERVERS, resources: MAX_RESOURCES, prompts: MAX_PROMPTS } as const;
export type Section = keyof typeof SECTIONS;

/** A catalog document taken apart. A section that the document does not have is `null`. */
export interface RawCatalog {
  /** Tools. */
  readonly entries: readonly JsonValue[];
  readonly servers: readonly JsonValue[] | null;
  readonly resources: readonly JsonValue[] | null;
  readonly prompts: readonly JsonValue[] | null;
}

function requireAtMost(list: readonly JsonValue[], most: number, what: string): readonly JsonValue[] {
  if (list.length > most)
    throw new CmcpError("CATALOG_INVALID", `a catalog has at most ${most} ${what}; this one has ${list.length}`);
  return list;
}

function section(raw: JsonObject, name: Section): readonly JsonValue[] | null {
  const list = raw[name];
  if (list === undefined) return null;
  if (!Array.isArray(list)) throw new CmcpError("CATALOG_INVALID", `${name} of a catalog is an array`);
  return requireAtMost(list, SECTIONS[name], name);
}

/**
 * Takes a catalog document apart: an array of entries, or an object with `entries` and, where there are any,
 * `servers`, `resources` and `prompts`.
 *
 * @throws CmcpError `CATALOG_INVALID`.
 */
export function readDocument(raw: JsonValue): RawCatalog {
  if (Array.isArray(raw))
    return { entries: requireAtMost(raw, MAX_ENTRIES, "entries"), servers: null, resources: null, prompts: null };
  const known = ["entries", ...Object.keys(SECTIONS)];
  if (!isJsonObject(raw) || !Array.isArray(raw.entries) || Object.keys(raw).some((key) => !known.includes(key))) {
    throw new CmcpError(
      "CATALOG_INVALID",
      "a catalog is an array of entries, or an object with the key `entries` and, if need be, `servers`, `resources`, `prompts`",
    );
  }
  return {
    entries: requireAtMost(raw.entries, MAX_ENTRIES, "entries"),
    servers: section(raw, "servers"),
    resources: section(raw, "resources"),
    prompts: section(raw, "prompts"),
  };
}
