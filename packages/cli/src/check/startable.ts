import { untrusted } from "@cmcp/boundary";
import { requireCredentials, type Catalog, type StdioServer } from "@cmcp/catalog";
import { prepareSchemas } from "@cmcp/inspection";
import { parseProvision } from "@cmcp/launch";
import type { LaunchInputs } from "@cmcp/launch/files";
import { allowServers, stdioSchema } from "@cmcp/spawner";

/**
 * What the enclave holds a loaded catalog to before it serves: schemas, the command lines of stdio servers, credentials.
 * @throws CmcpError as a start would
 */
export function requireStartable(catalog: Catalog, { config, provision }: Pick<LaunchInputs, "config" | "provision">): void {
  for (const tool of catalog.tools.values()) prepareSchemas(tool);
  const stdio = catalog.servers.filter((server): server is StdioServer => server.transport === "stdio");
  allowServers(stdio, { allowUnmeasured: config.attestation.allow_unmeasured_spawn === true, settings: (config.enclave.stdio ?? stdioSchema.parse({})).servers });
  const { credentials = [] } = parseProvision(untrusted(provision));
  requireCredentials(catalog, new Set(credentials.map(({ name }) => name)));
}

/** Tools of workflows that nobody can call: no rule is offended by them, and whoever wrote them meant another. */
export function workflowWarnings({ tools }: Catalog, { config: { enclave } }: Pick<LaunchInputs, "config">): readonly string[] {
  return Object.entries(enclave.workflow_tools ?? {}).flatMap(([workflow, named]) => named.filter((tool) => !tools.has(tool)).map((tool) => `enclave.workflow_tools: ${workflow} has ${JSON.stringify(tool)}, and no tool of the catalog is called that`));
}
