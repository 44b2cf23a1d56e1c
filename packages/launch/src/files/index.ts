export { readBundleFolder } from "./bundle.ts";
export { catalogDestinations, readCatalogFile, stdioTrees } from "./catalog.ts";
export { catalogVersionsPath, readCatalogVersionsFile } from "./catalog-versions.ts";
export {
  readConfigFile,
  readLaunchInputs,
  readReload,
  reloadIntervalMs,
  type ConfigInputs,
  type LaunchInputs,
  type ReloadInputs,
} from "./inputs.ts";
export { readBounded, readPieces, type FileRole } from "./read.ts";
export { readCredentialsFile } from "./credentials.ts";
export { withServerEnvironment } from "./server-environment.ts";
export { readStorageKeyFile } from "./storage-key.ts";
export { readProvision, readTokenFile } from "./tokens.ts";
