import { CmcpError, untrusted } from "@cmcp/boundary";
import { catalogVersionsIn, readCatalogVersions, type CatalogVersion } from "@cmcp/catalog/version";
import { catalogVersionsPath, readCatalogVersionsFile } from "@cmcp/launch/files";
import { readSmallFile } from "../read-file.ts";

/** The file of versions that a command works with: the one that is named, or the one beside the catalog. */
export function versionsPathOf(option: string | undefined, catalog: string): string {
  return option ?? catalogVersionsPath(catalog);
}

/** Reads a file of versions; one that does not exist has none. @throws CmcpError `CATALOG_VERSION_INVALID` */
export async function versionsAt(path: string): Promise<readonly CatalogVersion[]> {
  return catalogVersionsIn(await readCatalogVersionsFile(path));
}

/** Reads a file of versions that must exist. @throws CmcpError `USAGE`, `CATALOG_VERSION_INVALID` */
export async function givenVersions(path: string): Promise<readonly CatalogVersion[]> {
  return readCatalogVersions(untrusted(await readSmallFile(path)));
}

/** The whole number in an option. @throws CmcpError `USAGE` */
export function wholeNumber(text: string, option: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new CmcpError("USAGE", `${option} is a whole number from 1`);
  return Number(text);
}
