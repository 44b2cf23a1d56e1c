import { loadCatalog, type Catalog } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";
import { Vocabulary } from "@cmcp/session";

/** A catalog as far as policies are written against it; whether its servers may be used is not asked here. */
export async function readTools(path: string, vocabulary = new Vocabulary()): Promise<Catalog> {
  return loadCatalog(await readCatalogFile(path), { developmentMode: true, vocabulary });
}
