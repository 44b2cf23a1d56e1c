import { dirname, resolve } from "node:path";
import { CmcpError, type JsonValue } from "@cmcp/boundary";
import type { Environment } from "../config/environment.ts";
import type { HostPort } from "../config/fields.ts";
import { withAbsolutePaths } from "../config/launcher.ts";
import { parseConfig, type LoadedConfig } from "../config/load.ts";
import { MAX_CONFIG_LENGTH } from "../config/yaml.ts";
import { buildLaunchDocument, launchDigest } from "../document/document.ts";
import { buildPolicyReload } from "../document/reload.ts";
import { readBundleFolder } from "./bundle.ts";
import { catalogDestinations, hasStdioServers, readCatalogFile } from "./catalog.ts";
import { readText } from "./read.ts";
import { readProvision } from "./tokens.ts";

/** What the host needs for the log's witnesses. */
export interface WitnessInputs {
  readonly origin: string;
  /** The witness policy. */
  readonly policy: string;
  /** The policy before it; `null` for none. */
  readonly formerPolicy: string | null;
  /** Where each witness takes checkpoints, by its name in the policy. */
  readonly urls: Readonly<Record<string, string>>;
  /** File of the log's key. */
  readonly keyPath: string;
  /** Milliseconds that a round waits for a quorum. */
  readonly waitMs: number;
}

/** A configuration with its paths made absolute. */
export interface ConfigInputs extends LoadedConfig {
  readonly paths: {
    readonly config: string;
    readonly policyBundle: string;
    readonly catalog: string;
    readonly auditDb: string;
    readonly auditArchive: string | null;
    readonly tokenFile: string | null;
    readonly credentialsFile: string | null;
  };
  /** `null` where the log has no witnesses. */
  readonly witnesses: WitnessInputs | null;
}

/** Everything `cmcp start` needs from files and environment. */
export interface LaunchInputs extends ConfigInputs {
  /** Canonical bytes of the launch document. */
  readonly document: Uint8Array<ArrayBuffer>;
  /** Lowercase hex SHA-256 of {@link document}. */
  readonly digest: string;
  /** Canonical bytes of the provision message: hashes of tokens, and credentials for servers. */
  readonly provision: Uint8Array<ArrayBuffer>;
  /** Where the host may relay to. */
  readonly egressTargets: readonly HostPort[];
  /** Whether the host must start a spawner beside the enclave. */
  readonly stdioServers: boolean;
  /** Bytes of the reload message for the bundle that is in {@link document}. */
  readonly policy: Uint8Array<ArrayBuffer>;
}

/**
 * Reads and checks the configuration file.
 * @throws CmcpError as `parseConfig`, and `CONFIG_INVALID` for a file that cannot be read
 */
export async function readConfigFile(configPath: string, env: Environment): Promise<ConfigInputs> {
  const path = resolve(configPath);
  // A character takes at most 4 bytes; the limit in characters is the parser's.
  const text = await readText(path, { what: "configuration", code: "CONFIG_INVALID", maxBytes: MAX_CONFIG_LENGTH * 4 });
  const loaded = parseConfig(text, { env, file: configPath });
  const from = (written: string): string => resolve(dirname(path), written);
  const { policy_bundle_path, catalog_path, audit_db_path, audit_archive_path, token_file, credentials_file } =
    loaded.host;
  return {
    ...loaded,
    host: { ...loaded.host, launcher: withAbsolutePaths(loaded.host.launcher, from) },
    paths: {
      config: path,
      policyBundle: from(policy_bundle_path),
      catalog: from(catalog_path),
      auditDb: from(audit_db_path),
      auditArchive: audit_archive_path === null ? null : from(audit_archive_path),
      tokenFile: token_file === null ? null : from(token_file),
      credentialsFile: credentials_file === null ? null : from(credentials_file),
    },
    witnesses: witnessInputs(loaded, from(loaded.host.log_key_path)),
  };
}

function witnessInputs({ config: { log }, host }: LoadedConfig, keyPath: string): WitnessInputs | null {
  const { origin, witnesses: policy, witness_wait_ms: waitMs } = log;
  return policy === undefined || waitMs === undefined
    ? null
    : { origin, policy, formerPolicy: host.former_witnesses, urls: host.witness_urls, keyPath, waitMs };
}

function documentFor(
  inputs: ConfigInputs,
  parts: { bundle: Record<string, string>; catalog: JsonValue },
): Uint8Array<ArrayBuffer> {
  const { policyHash, catalogHash, policySigningKey, development } = inputs.environment;
  const { provider } = inputs.config.attestation;
  if (provider === "software-only" && !development) {
    throw new CmcpError(
      "ATTESTATION_PROVIDER_UNSUPPORTED",
      "attestation.provider software-only proves nothing and is for development: set CMCP_DEV_MODE=1",
    );
  }
  return buildLaunchDocument({
    v: 1,
    platform: provider,
    development,
    config: inputs.config,
    policy_bundle: parts.bundle,
    catalog: parts.catalog,
    pins: {
      ...(policyHash === null ? {} : { policy_hash: policyHash }),
      ...(catalogHash === null ? {} : { catalog_hash: catalogHash }),
    },
    trust_anchors: policySigningKey === null ? {} : { policy_signing_key: policySigningKey },
  });
}

/** Reads a policy bundle folder into a reload message. @throws CmcpError `POLICY_BUNDLE_INVALID` naming the path */
export async function readPolicyReload(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  return buildPolicyReload(await readBundleFolder(folder));
}

/** Where Azure's instance metadata service answers every virtual machine. */
const AZURE_METADATA: HostPort = { host: "169.254.169.254", port: 80 };

/** The one destination of the relay that no catalog names: on Azure certificates and quotes come from there. */
function metadataService({ config }: ConfigInputs): readonly HostPort[] {
  return config.attestation.provider === "azure-cvm" ? [AZURE_METADATA] : [];
}

/**
 * Reads configuration, policy bundle, and catalog and makes the launch document of them.
 * @throws CmcpError naming the file, the key and what is wrong
 */
export async function readLaunchInputs(configPath: string, env: Environment): Promise<LaunchInputs> {
  const inputs = await readConfigFile(configPath, env);
  const { paths, host } = inputs;
  const bundle = await readBundleFolder(paths.policyBundle);
  const catalog = await readCatalogFile(paths.catalog);
  const document = documentFor(inputs, { bundle, catalog });
  return {
    ...inputs,
    policy: buildPolicyReload(bundle),
    document,
    digest: launchDigest(document),
    provision: await readProvision(inputs),
    stdioServers: hasStdioServers(catalog),
    egressTargets: [...(host.egress_allow ?? catalogDestinations(catalog)), ...metadataService(inputs)],
  };
}
