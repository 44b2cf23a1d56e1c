import { CmcpError } from "@cmcp/boundary";
import { requirePrincipals } from "@cmcp/identity/principals";
import { requireProfile } from "./agent-manifest.ts";
import { noticeReceiver } from "./approvals.ts";
import { catalogChangeProblem } from "./catalog-keys.ts";
import { withoutNulls } from "./without-nulls.ts";
import { readEnvironment, type Environment, type EnvironmentSettings } from "./environment.ts";
import { configError } from "./config-error.ts";
import { requireLimitedPrincipals } from "./limits.ts";
import { launcherOf, type LauncherConfig } from "./launcher.ts";
import { DEFAULT_PRINCIPAL, isLoopback, parseHostPort, type HostPort } from "./fields.ts";
import { measure } from "./measure.ts";
import type { Config } from "./measured.ts";
import { refuseUnsupportedKeys } from "./unsupported-keys.ts";
import { requireReloadable } from "./reload.ts";
import { configSchema, type ConfigFile } from "./schema.ts";
import { refuseSecrets } from "./secrets.ts";
import { readYaml } from "./yaml.ts";

/** What only the host needs. It is not measured, so that moving a file does not change the digest. */
export interface HostConfig {
  readonly policy_bundle_path: string;
  readonly catalog_path: string;
  /** Seconds between looks for another catalog; 0 for none. */
  readonly catalog_reload_interval_seconds: number;
  readonly audit_db_path: string;
  readonly audit_archive_path: string | null;
  readonly log_key_path: string;
  readonly former_witnesses: string | null;
  /** By the witness's name. */
  readonly witness_urls: Readonly<Record<string, string>>;
  readonly token_file: string | null;
  readonly credentials_file: string | null;
  readonly listen: HostPort;
  /** Destinations the operator listed, or `null` for those of the catalog. */
  readonly egress_allow: readonly HostPort[] | null;
  readonly launcher: LauncherConfig;
}

/** A valid configuration. */
export interface LoadedConfig {
  readonly config: Config;
  readonly host: HostConfig;
  readonly environment: EnvironmentSettings;
  /** Messages for the operator that do not prevent the start. */
  readonly warnings: readonly string[];
}

const SHORT_TOKEN = 32;
const CATALOG_RELOAD = "catalog_reload_interval_seconds";

/** The sources of tokens. Without any, requests need no token, which is allowed only in development on loopback. */
interface TokenSources {
  readonly environment: EnvironmentSettings;
  readonly tokenFile: string | null;
  readonly credentialsFile: string | null;
  /** Whether tokens come in signed statements. */
  readonly statements: boolean;
  /** Whether JWTs are accepted. */
  readonly issuers: boolean;
}

/** Whether a configuration names issuers of JWTs or JWT-SVIDs. */
export function namesIssuers({ enclave: { identity } }: Pick<Config, "enclave">): boolean {
  return identity.jwt.length > 0 || identity.spiffe != null;
}

function isTokenless({ environment, tokenFile, issuers, statements }: TokenSources): boolean {
  return environment.bearerToken === null && tokenFile === null && !issuers && !statements;
}

/** Whether the host has tokens or credentials to give. */
function hasSecrets({ environment, tokenFile, credentialsFile }: TokenSources): boolean {
  return environment.bearerToken !== null || tokenFile !== null || credentialsFile !== null;
}

/** Requires that the host has no tokens and credentials to give where they come in signed statements. */
function requireOneSource({ environment, tokenFile, credentialsFile, statements }: TokenSources, file: string): void {
  if (!statements) return;
  const sources = {
    "enclave.token_file": tokenFile,
    "enclave.credentials_file": credentialsFile,
    CMCP_BEARER_TOKEN: environment.bearerToken,
  };
  for (const [key, value] of Object.entries(sources))
    if (value !== null)
      throw new CmcpError(
        "CONFIG_INVALID",
        `${file}: ${key}: remove it, as enclave.provisioning_keys has tokens and credentials come with cmcp provision`,
        { detail: { file, key } },
      );
}

function listenAddress(written: string | null | undefined, sources: TokenSources, file: string): HostPort {
  const { development } = sources.environment;
  const tokenless = isTokenless(sources);
  const text = written ?? (development && tokenless ? "127.0.0.1:8443" : "0.0.0.0:8443");
  const address = parseHostPort(text);
  if (address === undefined)
    throw new CmcpError("CONFIG_INVALID", `${file}: listen_addr: must be host:port or [IPv6]:port`, {
      detail: { file, key: "listen_addr" },
    });
  if (!tokenless) return address;
  if (!isLoopback(address.host)) {
    throw new CmcpError(
      "LISTEN_ADDRESS_REFUSED",
      `${file}: listen_addr: ${text} can be reached from other machines and no token is set`,
      { detail: { file, key: "listen_addr" } },
    );
  }
  if (!development) {
    throw new CmcpError(
      "CONFIG_INVALID",
      "environment: CMCP_BEARER_TOKEN: must be set, or enclave.token_file, or issuers in enclave.identity; only " +
        "CMCP_DEV_MODE=1 works without a token",
      { detail: { key: "CMCP_BEARER_TOKEN" } },
    );
  }
  return address;
}

/** Credentials without workflows of their own where there are several: each may use them all. */
function workflowWarnings({ enclave: { workflows, principals, identity } }: ConfigFile): string[] {
  const own = new Map(principals.map(({ id, workflows: listed }) => [id, listed ?? workflows]));
  const all = workflows.length > 1 ? principals.filter(({ workflows: listed }) => listed == null) : [];
  // Scopes give workflows where an issuer's settings say so.
  const issuers = Object.entries({ jwt: identity?.jwt ?? [], spiffe: identity?.spiffe ?? [] });
  const subjects = issuers.flatMap(([kind, all]) =>
    all.flatMap(({ subjects: listed, scope_workflows: byScope }) =>
      listed.map((subject) => ({ ...subject, key: `enclave.identity.${kind}`, scoped: byScope != null })),
    ),
  );
  return [
    ...all.map(
      ({ id }) =>
        `enclave.principals: ${id} lists no workflows, so it may use all ${workflows.length} of enclave.workflows`,
    ),
    ...subjects.flatMap(({ key, subject, principal, workflows: listed, scoped }) => {
      const theirs = own.get(principal) ?? [];
      const name = JSON.stringify(subject);
      if (listed == null)
        return theirs.length > 1 && !scoped
          ? [`${key}: the subject ${name} lists no workflows, so it may use all ${theirs.length} of ${principal}`]
          : [];
      return listed
        .filter((workflow) => !theirs.includes(workflow))
        .map((workflow) => `${key}: the subject ${name} lists ${workflow}, which ${principal} may not use`);
    }),
  ];
}

function warningsFor(sources: TokenSources, { attestation, enclave }: Config): string[] {
  const { environment } = sources;
  const warnings: string[] = [];
  if (environment.development)
    warnings.push("CMCP_DEV_MODE=1: development only; claims may carry no hardware evidence");
  else if (attestation.provider === "auto")
    warnings.push(
      "attestation.provider is auto: the launch document names no platform, so the host chooses among those it shows",
    );
  else if (attestation.provider === "software-only")
    warnings.push(
      "attestation.provider is software-only: no hardware attests, and who controls this host controls the enclave; for pilots",
    );
  if (isTokenless(sources)) warnings.push("no CMCP_BEARER_TOKEN: every process on this machine may call");
  else if (!environment.development && !sources.statements && hasSecrets(sources))
    warnings.push(
      "no enclave.provisioning_keys: the host gives the enclave tokens and credentials, unsigned; that is for development",
    );
  if (environment.bearerToken !== null && environment.bearerToken.length < SHORT_TOKEN)
    warnings.push(`CMCP_BEARER_TOKEN is shorter than ${SHORT_TOKEN} characters: it may be guessed`);
  if (enclave.principals.length * enclave.max_sessions_per_principal > enclave.max_sessions) {
    warnings.push(
      "enclave.max_sessions is less than all principals together may open: some principals can use up all sessions",
    );
  }
  if (environment.policyHash === null && environment.policySigningKey === null)
    warnings.push(
      "neither CMCP_POLICY_HASH nor CMCP_POLICY_SIGNING_KEY is set: any policy bundle found at the path is loaded",
    );
  if (environment.catalogHash === null)
    warnings.push("CMCP_CATALOG_HASH is not set: any catalog found at the path is loaded");
  return warnings;
}

/** Requires that subjects of JWTs, and rules that name a principal, are about configured ones. */
function requireKnownPrincipals({ enclave }: Config, file: string): void {
  const named: Readonly<Record<string, () => void>> = {
    "enclave.identity": () => requirePrincipals(enclave.identity, new Set(enclave.principals.map(({ id }) => id))),
    "enclave.rate_limits": () => requireLimitedPrincipals(enclave),
  };
  for (const [key, check] of Object.entries(named)) {
    try {
      check();
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
      throw new CmcpError("CONFIG_INVALID", `${file}: ${thrown.message}`, { cause: thrown, detail: { file, key } });
    }
  }
}

/** Requires that the catalog keys can approve a catalog, and that there are some where the host looks for one. */
function requireCatalogChanges({ enclave, catalog_reload_interval_seconds: seconds }: ConfigFile, file: string): void {
  const problem =
    catalogChangeProblem(enclave) ??
    (seconds > 0 && enclave.catalog_keys.length === 0
      ? new CmcpError(
          "CONFIG_INVALID",
          `${CATALOG_RELOAD}: needs enclave.catalog_keys: nobody could approve a catalog`,
          {
            detail: { key: CATALOG_RELOAD },
          },
        )
      : null);
  if (problem !== null)
    throw new CmcpError(problem.code, `${file}: ${problem.message}`, { detail: { file, ...problem.detail } });
}

/** Requires the default principal if CMCP_BEARER_TOKEN or tokenless development uses it. */
function requireDefaultPrincipal({ enclave }: Config, sources: TokenSources, file: string): void {
  if (sources.environment.bearerToken === null && !isTokenless(sources)) return;
  if (enclave.principals.some(({ id }) => id === DEFAULT_PRINCIPAL)) return;
  throw new CmcpError(
    "CONFIG_INVALID",
    `${file}: enclave.principals: must list ${DEFAULT_PRINCIPAL}, the principal of CMCP_BEARER_TOKEN and of ` +
      "tokenless development",
    {
      detail: { file, key: "enclave.principals" },
    },
  );
}

/**
 * Reads the text of `cmcp-config.yaml`.
 *
 * @param options.env the variables of the process
 * @param options.file the file's name for messages
 * @throws CmcpError `CONFIG_INVALID`, `CONFIG_NOT_SUPPORTED`, `CONFIG_SECRET`, `CATALOG_RESTART_REQUIRED`,
 * `CONFORMANCE_PROFILE_UNSATISFIED`, `LISTEN_ADDRESS_REFUSED`, `POLICY_RELOAD_PINNED_HASH`; the message names the file
 * and the key
 */
export function parseConfig(
  text: string,
  options: { readonly env: Environment; readonly file?: string },
): LoadedConfig {
  const file = options.file ?? "cmcp-config.yaml";
  const environment = readEnvironment(options.env);
  // An empty file is a configuration of defaults.
  const parsed = configSchema.safeParse(
    withoutNulls(refuseUnsupportedKeys(readYaml(text, file) ?? {}, file), configSchema),
  );
  if (!parsed.success) throw configError(parsed.error, configSchema, file);
  const written = parsed.data;
  requireReloadable(written.policy_reload_interval_seconds, environment, file);
  requireCatalogChanges(written, file);
  const config = measure(written);
  refuseSecrets(`${file}: `, config, { file });
  requireProfile(config, file);
  noticeReceiver(config.enclave.approval_webhook, environment.development);
  const sources: TokenSources = {
    environment,
    tokenFile: written.enclave.token_file ?? null,
    credentialsFile: written.enclave.credentials_file ?? null,
    statements: written.enclave.provisioning_keys.length > 0,
    issuers: namesIssuers(config),
  };
  requireOneSource(sources, file);
  const listen = listenAddress(written.listen_addr, sources, file);
  requireDefaultPrincipal(config, sources, file);
  requireKnownPrincipals(config, file);
  return {
    config,
    host: {
      policy_bundle_path: written.policy_bundle_path,
      catalog_path: written.catalog_path,
      catalog_reload_interval_seconds: written.catalog_reload_interval_seconds,
      audit_db_path: written.audit_db_path,
      audit_archive_path: written.audit_archive_path ?? null,
      log_key_path: written.log_key_path,
      former_witnesses: written.former_witnesses ?? null,
      witness_urls: written.witness_urls,
      token_file: sources.tokenFile,
      credentials_file: sources.credentialsFile,
      listen,
      egress_allow:
        written.enclave.egress_allow?.map((text) => parseHostPort(text)).filter((target) => target !== undefined) ??
        null,
      launcher: launcherOf(written, config.attestation.provider, file),
    },
    environment,
    warnings: [...warningsFor(sources, config), ...workflowWarnings(written)],
  };
}
