import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { CmcpError, type JsonValue } from "@cmcp/boundary";
import type { Environment } from "../config/environment.ts";
import type { HostPort } from "../config/fields.ts";
import { parseConfig, type LoadedConfig } from "../config/load.ts";
import { MAX_CONFIG_LENGTH } from "../config/yaml.ts";
import { buildLaunchDocument, launchDigest } from "../document/document.ts";
import { buildProvision } from "../document/provision.ts";
import { readBundleFolder } from "./bundle.ts";
import { catalogDestinations, readCatalogFile } from "./catalog.ts";
import { readText } from "./read.ts";

/** Name of the one principal a bearer token of the environment stands for. */
export const ENVIRONMENT_PRINCIPAL = "default";

/** A configuration with its paths made absolute. */
export interface ConfigInputs extends LoadedConfig {
  readonly paths: { readonly config: string; readonly policyBundle: string; readonly catalog: string; readonly auditDb: string };
}

/** Everything `cmcp start` needs from files and environment. */
export interface LaunchInputs extends ConfigInputs {
  /** Canonical bytes of the launch document. */
  readonly document: Uint8Array<ArrayBuffer>;
  /** Lowercase hex SHA-256 of {@link document}. */
  readonly digest: string;
  /** Canonical bytes of the provision message: hashes of tokens only. */
  readonly provision: Uint8Array<ArrayBuffer>;
  /** Where the host may relay to. */
  readonly egressTargets: readonly HostPort[];
}

/** Reads and checks the configuration file. @throws CmcpError as `parseConfig`, and `CONFIG_INVALID` for a file that cannot be read */
export async function readConfigFile(configPath: string, env: Environment): Promise<ConfigInputs> {
  const path = resolve(configPath);
  // A character takes at most 4 bytes; the limit in characters is the parser's.
  const text = await readText(path, { what: "configuration", code: "CONFIG_INVALID", maxBytes: MAX_CONFIG_LENGTH * 4 });
  const loaded = parseConfig(text, { env, file: configPath });
  const from = (written: string): string => resolve(dirname(path), written);
  const { policy_bundle_path, catalog_path, audit_db_path } = loaded.host;
  return {
    ...loaded,
    paths: { config: path, policyBundle: from(policy_bundle_path), catalog: from(catalog_path), auditDb: from(audit_db_path) },
  };
}

function provisionFor({ environment, config }: LoadedConfig): Uint8Array<ArrayBuffer> {
  const { bearerToken } = environment;
  if (bearerToken === null) return buildProvision({ v: 1, principals: [], tokenless: true });
  const token_sha256 = createHash("sha256").update(bearerToken).digest("hex");
  return buildProvision({ v: 1, principals: [{ id: ENVIRONMENT_PRINCIPAL, token_sha256, workflows: config.enclave.workflows }] });
}

function documentFor(inputs: ConfigInputs, parts: { bundle: Record<string, string>; catalog: JsonValue }): Uint8Array<ArrayBuffer> {
  const { policyHash, catalogHash, development } = inputs.environment;
  if (!development) {
    throw new CmcpError("ATTESTATION_PROVIDER_UNSUPPORTED", "this version has software attestation only, which is for development: set CMCP_DEV_MODE=1");
  }
  return buildLaunchDocument({
    v: 1,
    platform: "software-only",
    development,
    config: inputs.config,
    policy_bundle: parts.bundle,
    catalog: parts.catalog,
    pins: { ...(policyHash === null ? {} : { policy_hash: policyHash }), ...(catalogHash === null ? {} : { catalog_hash: catalogHash }) },
    trust_anchors: {},
  });
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
  return { ...inputs, document, digest: launchDigest(document), provision: provisionFor(inputs), egressTargets: host.egress_allow ?? catalogDestinations(catalog) };
}
