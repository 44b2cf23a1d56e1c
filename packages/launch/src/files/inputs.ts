import { dirname, resolve } from "node:path";
import type { JsonValue } from "@cmcp/boundary";
import type { Environment } from "../config/environment.ts";
import { parseHostPort, type HostPort } from "../config/fields.ts";
import { withAbsolutePaths } from "../config/launcher.ts";
import { parseConfig, type LoadedConfig } from "../config/load.ts";
import { MAX_CONFIG_LENGTH } from "../config/yaml.ts";
import { buildLaunchDocument, launchDigest } from "../document/document.ts";
import { buildReload } from "../document/reload.ts";
import { readBundleFolder } from "./bundle.ts";
import { catalogDestinations, destinationOf, readCatalogFile, stdioTrees } from "./catalog.ts";
import { catalogVersionsPath, readCatalogVersionsFile } from "./catalog-versions.ts";
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
    readonly catalogVersions: string;
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
  /** Canonical bytes of the provision message: hashes of tokens, and credentials for servers. `null` where statements bring them. */
  readonly provision: Uint8Array<ArrayBuffer> | null;
  /** Where the host may relay to. */
  readonly egressTargets: readonly HostPort[];
  /** Where the catalog's stdio servers have their files. */
  readonly stdioTrees: readonly string[];
  /** The reload message for what is in {@link document}; `null` where nothing of it can be replaced. */
  readonly reload: ReloadInputs | null;
}

/** A reload message, and where the host may relay to under it. */
export interface ReloadInputs {
  readonly message: Uint8Array<ArrayBuffer>;
  readonly egressTargets: readonly HostPort[];
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
      catalogVersions: catalogVersionsPath(from(catalog_path)),
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

/** What of the document can be replaced while the gateway runs. */
function replaceable({ config, host }: ConfigInputs): { readonly policy: boolean; readonly catalog: boolean } {
  return {
    policy: config.policy_reload_interval_seconds > 0,
    catalog: host.catalog_reload_interval_seconds > 0,
  };
}

/** Milliseconds between looks for what can be replaced; `null` where nothing can. */
export function reloadIntervalMs({ config, host }: ConfigInputs): number | null {
  const seconds = [config.policy_reload_interval_seconds, host.catalog_reload_interval_seconds].filter(
    (each) => each > 0,
  );
  return seconds.length === 0 ? null : Math.min(...seconds) * 1000;
}

/**
 * Reads what may replace policy and catalog of the document into a reload message.
 * @throws CmcpError `POLICY_BUNDLE_INVALID`, `CATALOG_INVALID`, `CATALOG_VERSION_INVALID` naming the path
 */
export async function readReload(inputs: ConfigInputs): Promise<ReloadInputs> {
  const { paths } = inputs;
  const can = replaceable(inputs);
  const bundle = can.policy ? await readBundleFolder(paths.policyBundle) : null;
  const catalog = await readCatalogFile(paths.catalog);
  return await reloadOf(inputs, bundle, catalog);
}

async function reloadOf(
  inputs: ConfigInputs,
  bundle: Record<string, string> | null,
  catalog: JsonValue,
): Promise<ReloadInputs> {
  const can = replaceable(inputs);
  const versions = can.catalog ? await readCatalogVersionsFile(inputs.paths.catalogVersions) : null;
  return {
    message: buildReload({
      ...(bundle === null ? {} : { policy_bundle: bundle }),
      ...(versions === null ? {} : { catalog: { document: catalog, versions } }),
    }),
    egressTargets: egressTargetsOf(inputs, catalog),
  };
}

/** Where Azure's instance metadata service answers every virtual machine. */
const AZURE_METADATA: HostPort = { host: "169.254.169.254", port: 80 };

/** Where the enclave fetches the keys of issuers. */
function issuerDestinations({ config }: ConfigInputs): readonly HostPort[] {
  return config.enclave.identity.jwt.flatMap(({ jwks_uri: uri }) => {
    if (uri == null) return [];
    const { hostname, port } = new URL(uri);
    return [parseHostPort(`${hostname}:${port === "" ? 443 : port}`)].filter((target) => target !== undefined);
  });
}

/** The one destination of the relay that no catalog names: on Azure certificates and quotes come from there. */
function metadataService({ config }: ConfigInputs): readonly HostPort[] {
  return config.attestation.provider === "azure-cvm" ? [AZURE_METADATA] : [];
}

/** Where notices of approvals go. */
function webhookDestination({ config }: ConfigInputs): readonly HostPort[] {
  const { approval_webhook: webhook } = config.enclave;
  const target = webhook === undefined ? undefined : destinationOf(webhook.url);
  return target === undefined ? [] : [target];
}

/** Where the host may relay to under a catalog. */
function egressTargetsOf(inputs: ConfigInputs, catalog: JsonValue): readonly HostPort[] {
  return [
    ...(inputs.host.egress_allow ?? [
      ...catalogDestinations(catalog),
      ...issuerDestinations(inputs),
      ...webhookDestination(inputs),
    ]),
    ...metadataService(inputs),
  ];
}

/**
 * Reads configuration, policy bundle, and catalog and makes the launch document of them.
 * @throws CmcpError naming the file, the key and what is wrong
 */
export async function readLaunchInputs(configPath: string, env: Environment): Promise<LaunchInputs> {
  const inputs = await readConfigFile(configPath, env);
  const { paths } = inputs;
  const bundle = await readBundleFolder(paths.policyBundle);
  const catalog = await readCatalogFile(paths.catalog);
  const document = documentFor(inputs, { bundle, catalog });
  return {
    ...inputs,
    reload: await firstReload(inputs, bundle, catalog),
    document,
    digest: launchDigest(document),
    provision: await readProvision(inputs),
    stdioTrees: stdioTrees(catalog),
    egressTargets: egressTargetsOf(inputs, catalog),
  };
}

/** The reload message for bundle and catalog of the document; `null` where neither can be replaced. */
async function firstReload(
  inputs: ConfigInputs,
  bundle: Record<string, string>,
  catalog: JsonValue,
): Promise<ReloadInputs | null> {
  const can = replaceable(inputs);
  if (!can.policy && !can.catalog) return null;
  return await reloadOf(inputs, can.policy ? bundle : null, catalog);
}
