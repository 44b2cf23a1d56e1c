import { CmcpError } from "@cmcp/boundary";
import { requirePrincipals } from "@cmcp/identity/principals";
import { withoutNulls } from "./without-nulls.ts";
import { readEnvironment, type Environment, type EnvironmentSettings } from "./environment.ts";
import { configError } from "./config-error.ts";
import { requireLimitedPrincipals } from "./limits.ts";
import { launcherOf, type LauncherConfig } from "./launcher.ts";
import { measuredLog } from "./log.ts";
import { DEFAULT_PRINCIPAL, isLoopback, parseHostPort, type HostPort } from "./fields.ts";
import { measuredConfigSchema, type Config } from "./measured.ts";
import { refuseUnsupportedKeys } from "./unsupported-keys.ts";
import { requireReloadable } from "./reload.ts";
import { configSchema, type ConfigFile } from "./schema.ts";
import { refuseSecrets } from "./secrets.ts";
import { readYaml } from "./yaml.ts";

/** What only the host needs. It is not measured, so that moving a file does not change the digest. */
export interface HostConfig {
  readonly policy_bundle_path: string;
  readonly catalog_path: string;
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

/** The sources of tokens. Without any, requests need no token, which is allowed only in development on loopback. */
interface TokenSources {
  readonly environment: EnvironmentSettings;
  readonly tokenFile: string | null;
  /** Whether JWTs are accepted. */
  readonly issuers: boolean;
}

/** Whether a configuration names issuers of JWTs. */
export function namesIssuers({ enclave: { identity } }: Pick<Config, "enclave">): boolean {
  return identity.jwt.length > 0;
}

function isTokenless({ environment, tokenFile, issuers }: TokenSources): boolean {
  return environment.bearerToken === null && tokenFile === null && !issuers;
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
  const subjects = (identity?.jwt ?? []).flatMap(({ subjects }) => subjects);
  return [
    ...all.map(
      ({ id }) =>
        `enclave.principals: ${id} lists no workflows, so it may use all ${workflows.length} of enclave.workflows`,
    ),
    ...subjects.flatMap(({ subject, principal, workflows: listed }) => {
      const theirs = own.get(principal) ?? [];
      const name = JSON.stringify(subject);
      if (listed == null)
        return theirs.length > 1
          ? [
              `enclave.identity.jwt: the subject ${name} lists no workflows, so it may use all ${theirs.length} of ${principal}`,
            ]
          : [];
      return listed
        .filter((workflow) => !theirs.includes(workflow))
        .map(
          (workflow) => `enclave.identity.jwt: the subject ${name} lists ${workflow}, which ${principal} may not use`,
        );
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
  if (isTokenless(sources)) warnings.push("no CMCP_BEARER_TOKEN: every process on this machine may call");
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

function measured(written: ConfigFile): Config {
  const {
    egress_allow: _hosts,
    token_file: _tokens,
    credentials_file: _credentials,
    workflows,
    workflow_tools,
    principals,
    identity,
    integrity,
    rate_limits,
    budgets,
    finding_labels,
    ...enclave
  } = written.enclave;
  const domains = written.sensitivity?.compliance_domains ?? {};
  const {
    provider,
    enforcement_mode,
    validity_seconds,
    staleness_policy,
    expected_measurement,
    allow_unmeasured_spawn,
  } = written.attestation;
  return measuredConfigSchema.parse({
    attestation: {
      provider,
      enforcement_mode,
      validity_seconds,
      staleness_policy: staleness_policy ?? "fail_closed",
      expected_measurement: expected_measurement ?? null,
      ...(allow_unmeasured_spawn ? { allow_unmeasured_spawn } : {}),
    },
    catalog: written.catalog,
    max_response_size_bytes: written.max_response_size_bytes,
    policy_reload_interval_seconds: written.policy_reload_interval_seconds,
    sensitivity: {
      vocabulary: written.sensitivity?.vocabulary ?? {},
      ...(Object.keys(domains).length === 0 ? {} : { compliance_domains: domains }),
    },
    ...(written.kill_switch.enabled ? { kill_switch: written.kill_switch } : {}),
    log: measuredLog(written.log),
    ...(written.sink_policy == null ? {} : { sink_policy: written.sink_policy }),
    enclave: {
      ...enclave,
      ...(workflow_tools == null ? {} : { workflow_tools }),
      ...(Object.keys(finding_labels ?? {}).length === 0 ? {} : { finding_labels }),
      ...(integrity?.scope === "principal" ? { integrity: { scope: "principal" } } : {}),
      ...(rate_limits.length === 0 ? {} : { rate_limits }),
      ...(budgets.length === 0 ? {} : { budgets }),
      identity: identity ?? {},
      principals: principals.map(({ id, workflows: own, role }) => ({
        id,
        workflows: own ?? workflows,
        ...(role == null || role === "agent" ? {} : { role }),
      })),
    },
  });
}

/** Requires that subjects of JWTs, and rules that name a principal, are about configured ones. */
function requireKnownPrincipals({ enclave }: Config, file: string): void {
  const named: Readonly<Record<string, () => void>> = {
    "enclave.identity.jwt": () => requirePrincipals(enclave.identity, new Set(enclave.principals.map(({ id }) => id))),
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
  const config = measured(written);
  refuseSecrets(`${file}: `, config, { file });
  const sources: TokenSources = {
    environment,
    tokenFile: written.enclave.token_file ?? null,
    issuers: namesIssuers(config),
  };
  const listen = listenAddress(written.listen_addr, sources, file);
  requireDefaultPrincipal(config, sources, file);
  requireKnownPrincipals(config, file);
  return {
    config,
    host: {
      policy_bundle_path: written.policy_bundle_path,
      catalog_path: written.catalog_path,
      audit_db_path: written.audit_db_path,
      audit_archive_path: written.audit_archive_path ?? null,
      log_key_path: written.log_key_path,
      former_witnesses: written.former_witnesses ?? null,
      witness_urls: written.witness_urls,
      token_file: sources.tokenFile,
      credentials_file: written.enclave.credentials_file ?? null,
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
