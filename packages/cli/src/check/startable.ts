import { readAppraisalPolicy } from "@cmcp/appraise";
import { untrusted } from "@cmcp/boundary";
import { requireCredentials, type Catalog, type StdioServer } from "@cmcp/catalog";
import { JwtAuthenticator } from "@cmcp/identity";
import { prepareSchemas } from "@cmcp/inspection";
import { parseProvision } from "@cmcp/launch";
import type { LaunchInputs } from "@cmcp/launch/files";
import { readInstancePolicy } from "@cmcp/log";
import { allowServers, requireSpawner, stdioSchema } from "@cmcp/spawner";

/**
 * What the enclave holds a loaded catalog and its configuration to before it serves: schemas, stdio servers and whether
 * it can run any where the launcher puts it, credentials, the keys of JWT issuers, the log's witnesses and appraisal policy.
 * @throws CmcpError as a start would
 */
export async function requireStartable(
  catalog: Catalog,
  { config, host, provision }: Pick<LaunchInputs, "config" | "host" | "provision">,
): Promise<void> {
  for (const tool of catalog.tools.values()) prepareSchemas(tool);
  const stdio = catalog.servers.filter((server): server is StdioServer => server.transport === "stdio");
  allowServers(stdio, {
    allowUnmeasured: config.attestation.allow_unmeasured_spawn === true,
    settings: (config.enclave.stdio ?? stdioSchema.parse({})).servers,
  });
  // Only beside an enclave that is a process of this host is there a spawner.
  requireSpawner(stdio, host.launcher.launcher === "process");
  const { credentials = [] } = parseProvision(untrusted(provision));
  requireCredentials(catalog, new Set(credentials.map(({ name }) => name)));
  if (config.log.witnesses !== undefined) readInstancePolicy(config.log.witnesses);
  readAppraisalPolicy(config.log.appraisal, "log.appraisal");
  await JwtAuthenticator.of(config.enclave.identity.jwt, () => Date.now());
}

/** Tools of workflows that nobody can call: no rule is offended by them, and whoever wrote them meant another. */
export function workflowWarnings(
  { tools }: Catalog,
  { config: { enclave } }: Pick<LaunchInputs, "config">,
): readonly string[] {
  return Object.entries(enclave.workflow_tools ?? {}).flatMap(([workflow, named]) =>
    named
      .filter((tool) => !tools.has(tool))
      .map(
        (tool) =>
          `enclave.workflow_tools: ${workflow} has ${JSON.stringify(tool)}, and no tool of the catalog is called that`,
      ),
  );
}
