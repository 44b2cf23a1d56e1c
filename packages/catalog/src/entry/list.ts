import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import { MAX_ENTRIES } from "../limits.ts";

/**
 * The raw entries of a catalog document: an array, or an object with `entries` and nothing else.
 *
 * @throws CmcpError `CATALOG_INVALID`.
 */
export function rawEntries(raw: JsonValue): readonly JsonValue[] {
  const list = Array.isArray(raw) ? raw : isJsonObject(raw) && Object.keys(raw).length === 1 ? raw.entries : undefined;
  if (!Array.isArray(list)) throw new CmcpError("CATALOG_INVALID", "a catalog is an array of entries, or an object whose only key is `entries`");
  if (list.length > MAX_ENTRIES) throw new CmcpError("CATALOG_INVALID", `a catalog has at most ${MAX_ENTRIES} entries; this one has ${list.length}`);
  return list;
}
