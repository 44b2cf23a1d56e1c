export { readEnvironment, type Environment, type EnvironmentSettings } from "./config/environment.ts";
export { noticeReceiver, type NoticeReceiver } from "./config/approvals.ts";
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
export { DEFAULT_DEFER_SECONDS, EAT_PROFILE_V01, EAT_PROFILE_V02 } from "./config/enclave.ts";
export { configSchema, type ConfigFile } from "./config/schema.ts";
export { MAX_CONFIG_LENGTH } from "./config/yaml.ts";
export { buildLaunchDocument, launchDigest, parseLaunchDocument } from "./document/document.ts";
export { buildReload, parseReload, type Reload } from "./document/reload.ts";
export {
  isBundlePath,
  MAX_BUNDLE_FILE,
  MAX_BUNDLE_FILES,
  MAX_LAUNCH_DOCUMENT,
  type LaunchDocument,
} from "./document/schema.ts";
