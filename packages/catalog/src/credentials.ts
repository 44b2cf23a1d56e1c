import { CmcpError } from "@cmcp/boundary";
import type { Catalog } from "./load.ts";
import type { CatalogServer } from "./server.ts";

/**
 * Holds the names of credentials that are at hand to those that the catalog's servers are sent: none is missing, and none is without use.
 * @throws CmcpError `CREDENTIAL_NOT_PROVISIONED`, `CONFIG_INVALID`
 */
export function requireCredentials({ servers }: Pick<Catalog, "servers">, brought: ReadonlySet<string>): void {
  const wanted = credentialNames({ servers });
  const missing = [...wanted].find((name) => !brought.has(name));
  if (missing !== undefined)
    throw new CmcpError(
      "CREDENTIAL_NOT_PROVISIONED",
      `the catalog names the credential ${missing}, which was not provisioned`,
    );
  const unknown = [...brought].find((name) => !wanted.has(name));
  if (unknown !== undefined)
    throw new CmcpError("CONFIG_INVALID", `no server of the catalog is sent the credential ${unknown}`);
}

/** Names of the credentials that a catalog's servers are sent. */
export function credentialNames({ servers }: Pick<Catalog, "servers">): ReadonlySet<string> {
  return new Set(servers.flatMap(secretsOf));
}

/** Names of the secrets that a server needs. */
function secretsOf(server: CatalogServer): readonly string[] {
  const { settings } = server;
  const authorization = settings?.authorization ?? null;
  const started = server.transport === "stdio" ? Object.values(server.spawn.secrets ?? {}) : [];
  const named = [settings?.credential, authorization?.clientSecret, authorization?.login?.clientSecret];
  return [...started, ...named.flatMap((name) => name ?? [])];
}
