import { CmcpError, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import { readBounded } from "./read.ts";

/** Largest file of versions, in bytes, as `packages/catalog` has it. */
export const MAX_VERSIONS_BYTES = 1024 * 1024;

/** The file with the versions of a catalog: `catalog.versions.json` beside `catalog.json`. */
export function catalogVersionsPath(catalog: string): string {
  return `${catalog.replace(/\.json$/, "")}.versions.json`;
}

/**
 * Reads the file with the versions of a catalog as JSON, not yet as versions. A file that does not exist has none.
 * @throws CmcpError `CATALOG_VERSION_INVALID` naming the path
 */
export async function readCatalogVersionsFile(path: string): Promise<JsonValue> {
  const code = "CATALOG_VERSION_INVALID";
  try {
    const bytes = await readBounded(path, { what: "file of catalog versions", code, maxBytes: MAX_VERSIONS_BYTES });
    return parseJson(untrusted(bytes), { maxBytes: MAX_VERSIONS_BYTES, maxDepth: 6, maxItems: 50_000 });
  } catch (thrown) {
    if (thrown instanceof CmcpError && isAbsent(thrown.cause)) return { v: 1, versions: [] };
    if (thrown instanceof CmcpError && thrown.code === code) throw thrown;
    const why = thrown instanceof CmcpError ? thrown.message : "not JSON";
    throw new CmcpError(code, `${path}: ${why}`, { cause: thrown, detail: { file: path } });
  }
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}
