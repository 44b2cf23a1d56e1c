import { existsSync } from "node:fs";
import type { JsonValue } from "@cmcp/boundary";
import { readCatalogFile } from "@cmcp/launch/files";

/** The catalog to add to: an empty one where there is no file yet. */
export async function catalogToExtend(path: string | undefined): Promise<JsonValue> {
  return path === undefined || !existsSync(path) ? [] : await readCatalogFile(path);
}
