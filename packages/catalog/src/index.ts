export type { Approved } from "./approved.ts";
export type { ApprovedIssuer, AuthorizationSettings } from "./authorization.ts";
export { closedSchema } from "./closed-schema.ts";
export { isCallable, requireCallable } from "./callable.ts";
export { credentialNames, requireCredentials } from "./credentials.ts";
export { secretVariableProblem } from "./entry/secrets.ts";
export { egressProblem } from "./entry/shape.ts";
export { headerMarksProblem } from "./header-marks.ts";
export {
  catalogHash,
  definitionHash,
  driftDigest,
  prefixedSha256,
  requireCatalogHash,
  type ToolDefinition,
} from "./hashes.ts";
export { loadCatalog, type Catalog } from "./load.ts";
export type { CatalogOptions } from "./options.ts";
export { promptDriftDigest, type CatalogPrompt, type PromptArgument, type PromptDefinition } from "./prompt/prompt.ts";
export { findResource, type RequestedResource } from "./resource/find.ts";
export { resourceDriftDigest, type CatalogResource, type ResourceDefinition } from "./resource/resource.ts";
export { UriTemplate } from "./resource/template.ts";
export {
  type CatalogServer,
  type GatewayServer,
  type RemoteServer,
  type ServerSettings,
  type StdioServer,
} from "./server.ts";
export type { ServerTrust } from "./trust.ts";
export { approvedOf, nameOf, recordedIdentity, type Target } from "./target.ts";
export type { CatalogTool } from "./tool.ts";
export { actionName } from "./tool-name.ts";
export { isListOf, type Provenance, type ProvenanceKind } from "./provenance/provenance.ts";
export { requireProvenance } from "./provenance/record.ts";
export { diffCatalogs, type ChangedPart, type EntryChange, type ValueChange } from "./diff/diff.ts";
export { findDrift, findPromptDrift, findResourceDrift, type Drift } from "./drift.ts";
export { DEFAULT_FOUND, SEARCH_TOOL_NAME, withSearchTool } from "./search/search-tool.ts";
export { ToolIndex } from "./search/tool-index.ts";
export {
  describeFinding,
  scanCatalog,
  scanTools,
  visibleText,
  type Finding,
  type FindingKind,
  type ScannedTool,
  type Severity,
} from "./scan/index.ts";
