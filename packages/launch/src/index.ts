export { readEnvironment, type Environment, type EnvironmentSettings } from "./config/environment.ts";
export {
  DEFAULT_PRINCIPAL,
  DEFAULT_WORKFLOW,
  isLoopback,
  parseHostPort,
  principalId,
  type HostPort,
} from "./config/fields.ts";
export type { LauncherConfig, MachinePlatform } from "./config/launcher.ts";
export { parseConfig, type HostConfig, type LoadedConfig } from "./config/load.ts";
export { measuredConfigSchema, type Config } from "./config/measured.ts";
export { configSchema, EAT_PROFILE_V01, EAT_PROFILE_V02, type ConfigFile } from "./config/schema.ts";
export { MAX_CONFIG_LENGTH } from "./config/yaml.ts";
export { buildLaunchDocument, launchDigest, parseLaunchDocument } from "./document/document.ts";
export { buildPolicyReload, parsePolicyReload, type PolicyReload } from "./document/reload.ts";
export { buildProvision, MAX_PROVISIONED_TOKENS, parseProvision, type Provision } from "./document/provision.ts";
export {
  isBundlePath,
  MAX_BUNDLE_FILE,
  MAX_BUNDLE_FILES,
  MAX_LAUNCH_DOCUMENT,
  type LaunchDocument,
} from "./document/schema.ts";
