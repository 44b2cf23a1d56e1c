import { isJsonObject, type JsonValue } from "@cmcp/boundary";
import { checkDefinition, readShape } from "./described.ts";
import { entrySchema, type CatalogEntry } from "./shape.ts";
import { refuseUnsupported } from "./unsupported.ts";

/**
 * Checks one raw tool entry: shape, bounds, `definition_hash`, and that it asks for nothing this version lacks.
 *
 * @throws CmcpError `CATALOG_INVALID`; `CONFIG_NOT_SUPPORTED` for features refused by name.
 */
export function readEntry(raw: JsonValue, index: number): CatalogEntry {
  const named = isJsonObject(raw) && typeof raw.tool_name === "string" ? raw.tool_name.slice(0, 64) : `#${index}`;
  const entry = readShape(entrySchema, raw, `catalog entry ${named}`);
  refuseUnsupported(entry);
  checkDefinition(raw, entry.definition_hash, `catalog entry ${entry.tool_name}`);
  return entry;
}
