export { isCallable, requireCallable } from "./callable.ts";
export { catalogHash, definitionHash, driftDigest, type ToolDefinition } from "./hashes.ts";
export { loadCatalog, type Catalog, type CatalogOptions, type CatalogTool } from "./load.ts";
export type { CatalogServer } from "./server.ts";
export { actionName } from "./tool-name.ts";
export { findDrift, type Drift } from "./drift.ts";
export { describeFinding, scanCatalog, scanTools, visibleText, type Finding, type FindingKind, type ScannedTool, type Severity } from "./scan/index.ts";
