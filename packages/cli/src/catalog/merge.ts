import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { ReviewedEntry } from "./entries.ts";

/** What a merge did with each imported tool. */
export interface Merged {
  /** The whole catalog, in the form its file had. */
  readonly catalog: JsonValue;
  readonly added: readonly string[];
  readonly replaced: readonly string[];
  /** Stood there with the same server, key and definition; left as it was approved. */
  readonly unchanged: readonly string[];
}

function listOf(catalog: JsonValue): JsonValue[] {
  const list = isJsonObject(catalog) ? catalog.entries : catalog;
  if (!Array.isArray(list)) throw new CmcpError("CATALOG_INVALID", "a catalog is an array of entries, or an object whose only key is `entries`");
  return list;
}

function serverOf(entry: JsonObject): JsonObject {
  return isJsonObject(entry.server) ? entry.server : {};
}

/**
 * Puts reviewed entries into a catalog. What was approved stays: another definition or key needs the tool's
 * name in `replace`, and a name that belongs to another server is never taken over.
 *
 * @throws CmcpError `CATALOG_TOOL_NAME_COLLISION`, `CATALOG_DRIFT_DETECTED` naming every changed tool
 */
export function mergeEntries(catalog: JsonValue, entries: readonly ReviewedEntry[], replace: ReadonlySet<string>): Merged {
  const list = [...listOf(catalog)];
  const merged = { added: [] as string[], replaced: [] as string[], unchanged: [] as string[] };
  const changed: string[] = [];
  for (const { name, entry } of entries) {
    const at = list.findIndex((known) => isJsonObject(known) && known.tool_name === name);
    const known = list[at];
    if (!isJsonObject(known)) {
      list.push(entry);
      merged.added.push(name);
      continue;
    }
    if (serverOf(known).url !== serverOf(entry).url) throw new CmcpError("CATALOG_TOOL_NAME_COLLISION", `the catalog has ${name} from another server, ${JSON.stringify(serverOf(known).url)}`);
    const same = known.definition_hash === entry.definition_hash && serverOf(known).tls_fingerprint === serverOf(entry).tls_fingerprint;
    if (replace.has(name)) {
      list[at] = entry;
      merged.replaced.push(name);
    } else if (same) merged.unchanged.push(name);
    else changed.push(name);
  }
  if (changed.length > 0) throw new CmcpError("CATALOG_DRIFT_DETECTED", `approved with another definition or key: ${changed.join(", ")}; review each and name it with --replace. Nothing was written`);
  return { catalog: Array.isArray(catalog) ? list : { entries: list }, ...merged };
}
