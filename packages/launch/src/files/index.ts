export { readBundleFolder } from "./bundle.ts";
export { catalogDestinations, readCatalogFile } from "./catalog.ts";
export { ENVIRONMENT_PRINCIPAL, readConfigFile, readLaunchInputs, type ConfigInputs, type LaunchInputs } from "./inputs.ts";
