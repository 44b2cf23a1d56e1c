export { scanApproved } from "./approved.ts";
export { scanCatalog } from "./catalog.ts";
export { visibleText } from "./characters.ts";
export type { Finding, FindingKind, Severity } from "./finding.ts";
export { describeFinding } from "./describe.ts";
export { scanTools, type ScannedTool } from "./scan.ts";
