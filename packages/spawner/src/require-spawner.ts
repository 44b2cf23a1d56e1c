import { CmcpError } from "@cmcp/boundary";

/** Most servers that a message names. */
const MAX_NAMED = 8;

/**
 * Refuses stdio servers where no spawner runs. An image runs nothing beside the enclave, so it cannot serve a catalog
 * with
 * stdio servers. The enclave calls this, and `cmcp validate-config` before a start.
 * @param offered whether a spawner runs beside the enclave
 * @throws CmcpError `SPAWN_NOT_OFFERED` naming the servers
 */
export function requireSpawner(servers: readonly { readonly name: string }[], offered: boolean): void {
  if (offered || servers.length === 0) return;
  const named = servers
    .slice(0, MAX_NAMED)
    .map(({ name }) => name)
    .join(", ");
  const more = servers.length > MAX_NAMED ? ` and ${servers.length - MAX_NAMED} more` : "";
  throw new CmcpError(
    "SPAWN_NOT_OFFERED",
    `this enclave has no spawner beside it, as in an image, so it cannot run stdio servers: ${named}${more}`,
  );
}
