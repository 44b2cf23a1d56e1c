export { readBundleFolder } from "./bundle.ts";
export { catalogDestinations, readCatalogFile } from "./catalog.ts";
export { readConfigFile, readLaunchInputs, readPolicyReload, type ConfigInputs, type LaunchInputs } from "./inputs.ts";
export { readBounded, readPieces, type FileRole } from "./read.ts";
export { readProvision } from "./tokens.ts";
