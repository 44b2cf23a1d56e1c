import { CmcpError } from "@cmcp/boundary";
import type { Catalog } from "./load.ts";
import type { ServerSettings } from "./server.ts";

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
  return new Set(servers.flatMap(({ settings }) => secretsOf(settings)));
}

/** Names of the secrets that a server's settings need. */
function secretsOf(settings: ServerSettings | undefined): readonly string[] {
  const authorization = settings?.authorization ?? null;
  const named = [settings?.credential, authorization?.clientSecret, authorization?.login?.clientSecret];
  return named.flatMap((name) => name ?? []);
}
