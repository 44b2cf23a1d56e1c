import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { CmcpError, type JsonValue } from "@cmcp/boundary";
import { readCatalogFile } from "@cmcp/launch/files";

/** The catalog to add to: an empty one where there is no file yet. */
export async function catalogToExtend(path: string | undefined): Promise<JsonValue> {
  return path === undefined || !existsSync(path) ? [] : await readCatalogFile(path);
}

/** Writes beside the file and moves it into place, so that a reader sees the old catalog or the new one. */
export async function writeCatalog(path: string, catalog: JsonValue): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const mode = existsSync(path) ? (await stat(path)).mode & 0o777 : 0o644;
    await writeFile(beside, `${JSON.stringify(catalog, null, 2)}\n`, { mode, flag: "wx" });
    await rename(beside, path);
  } catch (thrown) {
    await rm(beside, { force: true });
    throw new CmcpError("USAGE", `cannot write ${path}`, { cause: thrown });
  }
}
