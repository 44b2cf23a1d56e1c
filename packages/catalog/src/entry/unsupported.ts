import { CmcpError } from "@cmcp/boundary";
import type { ServerSettings } from "../server.ts";
import type { CatalogEntry, EntryServer } from "./shape.ts";

/** The features of an entry that would promise a check this version does not make. */
function unsupported({ server, catalog_exception: exception }: CatalogEntry): string | undefined {
  if (server.rotation_mode === "cert-pinned")
    return "rotation_mode `cert-pinned`: this version pins the public key; use key-pinned";
  if (typeof server.spiffe_id === "string") return "`spiffe_id`: this version does not check SPIFFE identities";
  if (server.provenance !== undefined) return "`provenance`: this version does not verify provenance records";
  if (exception)
    return "`catalog_exception`: an exception is granted by a signed operator statement, not by the catalog";
  return undefined;
}

/** Refuses by name what would otherwise be accepted and ignored. @throws CmcpError `CONFIG_NOT_SUPPORTED`. */
export function refuseUnsupported(entry: CatalogEntry): void {
  const why = unsupported(entry);
  if (why !== undefined) throw new CmcpError("CONFIG_NOT_SUPPORTED", `catalog entry ${entry.tool_name}: ${why}`);
}

/** The same for a named server: only one transport has the modern era, and only HTTP carries credentials. @throws CmcpError `CONFIG_NOT_SUPPORTED` */
export function refuseUnsupportedSettings(
  { name, era, credential }: ServerSettings,
  transport: EntryServer["transport"],
): void {
  if (era === "modern" && transport !== "streamable-http")
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${name}: \`era\`: this version speaks only the legacy era over ${transport}`,
    );
  if (credential !== null && transport === "stdio")
    throw new CmcpError("CONFIG_NOT_SUPPORTED", `catalog server ${name}: \`credential\`: a stdio server is sent none`);
}
