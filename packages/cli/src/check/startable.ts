import { readAppraisalPolicy } from "@cmcp/appraise";
import { openedEpoch } from "@cmcp/audit";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { requireCredentials, type Catalog, type StdioServer } from "@cmcp/catalog";
import { JwtAuthenticator, NO_KEYS, type IssuerKeys, type IssuerSettings } from "@cmcp/identity";
import { prepareSchemas } from "@cmcp/inspection";
import type { LaunchInputs } from "@cmcp/launch/files";
import { readInstancePolicy } from "@cmcp/log";
import { parseProvision } from "@cmcp/provision/message";
import { allowServers, stdioSchema } from "@cmcp/spawner";

/**
 * What the enclave holds a loaded catalog and its configuration to before it serves. It looks at schemas,
 * credentials, stdio servers, the keys of JWT issuers, the log's epoch, witnesses and appraisal policy.
 * @throws CmcpError as a start would
 */
export async function requireStartable(
  catalog: Catalog,
  { config, provision }: Pick<LaunchInputs, "config" | "provision">,
): Promise<void> {
  for (const tool of catalog.tools.values()) prepareSchemas(tool);
  const stdio = catalog.servers.filter((server): server is StdioServer => server.transport === "stdio");
  allowServers(stdio, {
    allowUnmeasured: config.attestation.allow_unmeasured_spawn === true,
    settings: (config.enclave.stdio ?? stdioSchema.parse({})).servers,
  });
  if (provision !== null) {
    const { credentials = [] } = parseProvision(untrusted(provision));
    requireCredentials(catalog, new Set(credentials.map(({ name }) => name)));
  }
  if (config.log.witnesses !== undefined) readInstancePolicy(config.log.witnesses);
  const { origin, lost_store: lostStore } = config.log;
  openedEpoch({ origin, lostStore, operatorKeys: config.enclave.operator_keys });
  readAppraisalPolicy(config.log.appraisal, "log.appraisal");
  const { identity, server_roots: roots = {}, spiffe_bundles: bundles = {} } = config.enclave;
  await JwtAuthenticator.of(identity, () => Date.now(), {
    possession: null,
    remoteKeys: (issuer) => requireKnownRoots(issuer, roots),
    bundles,
  });
}

/** Holds an issuer whose keys are fetched to the roots that there are. Nothing is fetched here. */
function requireKnownRoots({ issuer, jwks_fetch: fetched }: IssuerSettings, roots: object): IssuerKeys {
  const unknown = fetched?.roots?.find((name) => !Object.hasOwn(roots, name));
  if (unknown !== undefined)
    throw new CmcpError(
      "CONFIG_INVALID",
      `enclave.identity.jwt: ${issuer} names the roots ${JSON.stringify(unknown)}, which are not in enclave.server_roots`,
    );
  return NO_KEYS;
}
