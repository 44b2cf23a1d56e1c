export { readEnvironment, type Environment, type EnvironmentSettings } from "./config/environment.ts";
export { isLoopback, parseHostPort, type HostPort } from "./config/fields.ts";
export { parseConfig, type HostConfig, type LoadedConfig } from "./config/load.ts";
export { measuredConfigSchema, type Config } from "./config/measured.ts";
export { configSchema, EAT_PROFILE_V02, type ConfigFile } from "./config/schema.ts";
export { MAX_CONFIG_LENGTH } from "./config/yaml.ts";
export { buildLaunchDocument, launchDigest, parseLaunchDocument } from "./document/document.ts";
export { buildProvision, MAX_PROVISIONED_PRINCIPALS, parseProvision, type Provision } from "./document/provision.ts";
export { isBundlePath, MAX_BUNDLE_FILE, MAX_BUNDLE_FILES, MAX_LAUNCH_DOCUMENT, type LaunchDocument } from "./document/schema.ts";
