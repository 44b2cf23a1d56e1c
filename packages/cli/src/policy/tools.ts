import { loadCatalog, type Catalog } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";
import { Vocabulary } from "@cmcp/session";

/** Reads a catalog for checking policies against it. Whether its servers may be used is not checked. */
export async function readTools(path: string, vocabulary = new Vocabulary()): Promise<Catalog> {
  return loadCatalog(await readCatalogFile(path), { developmentMode: true, vocabulary });
}
