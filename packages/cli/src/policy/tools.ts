import { loadCatalog, type Catalog, type CatalogOptions } from "@cmcp/catalog";
import { readCatalogFile } from "@cmcp/launch/files";

/** Every label and domain, as the configuration that may add some is not at hand. */
const ANY: CatalogOptions["vocabulary"] = { has: () => true, hasDomain: () => true };

/** Reads a catalog for checking policies against it. Whether its servers may be used, and by default its labels, are not checked. */
export async function readTools(path: string, vocabulary = ANY): Promise<Catalog> {
  return loadCatalog(await readCatalogFile(path), { developmentMode: true, vocabulary });
}
