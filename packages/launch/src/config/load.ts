import { CmcpError } from "@cmcp/boundary";
import { readEnvironment, type Environment, type EnvironmentSettings } from "./environment.ts";
import { explain } from "./explain.ts";
import { isLoopback, parseHostPort, type HostPort } from "./fields.ts";
import { measuredConfigSchema, type Config } from "./measured.ts";
import { configSchema, type ConfigFile } from "./schema.ts";
import { refuseUnsupported } from "./unsupported.ts";
import { readYaml } from "./yaml.ts";

/** What the host needs and the enclave does not; not measured, so that moving a file changes no digest. */
export interface HostConfig {
  readonly policy_bundle_path: string;
  readonly catalog_path: string;
  readonly audit_db_path: string;
  readonly listen: HostPort;
  /** Destinations the operator listed, or `null` for those of the catalog. */
  readonly egress_allow: readonly HostPort[] | null;
}

/** A configuration that may be started with. */
export interface LoadedConfig {
  readonly config: Config;
  readonly host: HostConfig;
  readonly environment: EnvironmentSettings;
  /** What an operator should know and that does not stop the start. */
  readonly warnings: readonly string[];
}

const SHORT_TOKEN = 32;

function listenAddress(written: string | null | undefined, environment: EnvironmentSettings, file: string): HostPort {
  const { development, bearerToken } = environment;
  const text = written ?? (development && bearerToken === null ? "127.0.0.1:8443" : "0.0.0.0:8443");
  const address = parseHostPort(text);
  if (address === undefined) throw new CmcpError("CONFIG_INVALID", `${file}: listen_addr: must be host:port or [IPv6]:port`, { detail: { file, key: "listen_addr" } });
  if (bearerToken !== null) return address;
  if (!isLoopback(address.host)) {
    throw new CmcpError("LISTEN_ADDRESS_REFUSED", `${file}: listen_addr: ${text} can be reached from other machines and no token is set`, { detail: { file, key: "listen_addr" } });
  }
  if (!development) {
    throw new CmcpError("CONFIG_INVALID", "environment: CMCP_BEARER_TOKEN: must be set; only CMCP_DEV_MODE=1 works without a token", { detail: { key: "CMCP_BEARER_TOKEN" } });
  }
  return address;
}

function warningsFor(environment: EnvironmentSettings): string[] {
  const warnings: string[] = [];
  if (environment.development) warnings.push("CMCP_DEV_MODE=1: development only; claims carry no hardware evidence");
  if (environment.bearerToken === null) warnings.push("no CMCP_BEARER_TOKEN: every process on this machine may call");
  else if (environment.bearerToken.length < SHORT_TOKEN) warnings.push(`CMCP_BEARER_TOKEN is shorter than ${SHORT_TOKEN} characters: it may be guessed`);
  if (environment.policyHash === null) warnings.push("CMCP_POLICY_HASH is not set: any policy bundle found at the path is loaded");
  if (environment.catalogHash === null) warnings.push("CMCP_CATALOG_HASH is not set: any catalog found at the path is loaded");
  return warnings;
}

function measured(written: ConfigFile): Config {
  const { egress_allow: _hosts, ...enclave } = written.enclave;
  const { provider, enforcement_mode, validity_seconds } = written.attestation;
  return measuredConfigSchema.parse({
    attestation: { provider, enforcement_mode, validity_seconds },
    catalog: written.catalog,
    max_response_size_bytes: written.max_response_size_bytes,
    enclave,
  });
}

/**
 * Reads the text of `cmcp-config.yaml`.
 *
 * @param options.env the variables of the process
 * @param options.file the file's name for messages
 * @throws CmcpError `CONFIG_INVALID`, `CONFIG_NOT_SUPPORTED`, `LISTEN_ADDRESS_REFUSED`; the message names the file and the key
 */
export function parseConfig(text: string, options: { readonly env: Environment; readonly file?: string }): LoadedConfig {
  const file = options.file ?? "cmcp-config.yaml";
  const environment = readEnvironment(options.env);
  // An empty file is a configuration of defaults.
  const parsed = configSchema.safeParse(readYaml(text, file) ?? {});
  if (!parsed.success) throw explain(parsed.error, configSchema, file);
  const written = parsed.data;
  refuseUnsupported(written, file);
  return {
    config: measured(written),
    host: {
      policy_bundle_path: written.policy_bundle_path,
      catalog_path: written.catalog_path,
      audit_db_path: written.audit_db_path,
      listen: listenAddress(written.listen_addr, environment, file),
      egress_allow: written.enclave.egress_allow?.map((text) => parseHostPort(text)).filter((target) => target !== undefined) ?? null,
    },
    environment,
    warnings: warningsFor(environment),
  };
}
