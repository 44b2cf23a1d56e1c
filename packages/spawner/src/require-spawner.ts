import { CmcpError } from "@cmcp/boundary";

/** Most servers that a message names. */
const MAX_NAMED = 8;

/**
 * Refuses stdio servers where no spawner runs.
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
    `this enclave has no spawner beside it, so it cannot run stdio servers: ${named}${more}`,
  );
}
