import { CmcpError } from "@cmcp/boundary";
import type { ServerSettings } from "../server.ts";
import type { CatalogEntry, EntryServer } from "./shape.ts";

/** Refused until a server's own evidence is verified. */
const ATTESTED = "`trust: attested`: this version does not verify the evidence of servers";

/** The features of an entry that would promise a check this version does not make. */
function unsupported({ server, catalog_exception: exception }: CatalogEntry): string | undefined {
  if (server.rotation_mode === "cert-pinned")
    return "rotation_mode `cert-pinned`: this version pins the public key; use key-pinned";
  if (server.trust === "attested") return ATTESTED;
  if (server.provenance !== undefined)
    return "`provenance`: give the record in `servers`, where it is measured: {record, publisher_jwk}";
  if (exception)
    return "`catalog_exception`: an exception is granted by a signed operator statement, not by the catalog";
  return undefined;
}

/** Refuses by name what would otherwise be accepted and ignored. @throws CmcpError `CONFIG_NOT_SUPPORTED`. */
export function refuseUnsupported(entry: CatalogEntry): void {
  const why = unsupported(entry);
  if (why !== undefined) throw new CmcpError("CONFIG_NOT_SUPPORTED", `catalog entry ${entry.tool_name}: ${why}`);
}

/**
 * The same for a named server: only one transport has the modern era, only HTTP carries credentials, and only TLS a certificate.
 * @throws CmcpError `CONFIG_NOT_SUPPORTED`
 */
export function refuseUnsupportedSettings(
  { name, era, credential, authorization, clientCertificate }: Omit<ServerSettings, "provenance">,
  { transport, url = "", trust }: Pick<EntryServer, "transport" | "url" | "trust">,
): void {
  if (trust === "attested") throw new CmcpError("CONFIG_NOT_SUPPORTED", `catalog server ${name}: ${ATTESTED}`);
  if (era === "modern" && transport !== "streamable-http")
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${name}: \`era\`: this version speaks only the legacy era over ${transport}`,
    );
  if (credential !== null && transport === "stdio")
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${name}: \`credential\`: a stdio server is sent none; it has \`spawn.secrets\``,
    );
  if (authorization !== null && (transport === "stdio" || credential !== null))
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${name}: \`authorization\`: it is for servers with a url, and takes the place of \`credential\``,
    );
  if (clientCertificate && !url.toLowerCase().startsWith("https:"))
    throw new CmcpError(
      "CONFIG_NOT_SUPPORTED",
      `catalog server ${name}: \`client_certificate\`: only a server with an https url is shown one`,
    );
}
