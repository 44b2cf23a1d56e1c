export {
  bundleHash,
  compareVersions,
  readBundle,
  requireHigherVersion,
  requirePinned,
  signBundle,
  SigningKeys,
  verifyBundleSignature,
  type BundleFiles,
  type HistoryDeclaration,
  type PolicyBundle,
} from "./bundle/index.ts";
export { compilePolicy, type CompileOptions } from "./compile/compile.ts";
export type { BundleShape, CompiledPolicy } from "./compiled.ts";
export type { CedarRequest } from "./evaluate/cedar-request.ts";
export type {
  CallFacts,
  Completion,
  DeliveryFacts,
  EgressFacts,
  GovernedFacts,
  PromptFacts,
  RequestFacts,
  ResourceFacts,
} from "./facts.ts";
export { NO_FLOWS, UNKNOWN_FLOWS, type FlowFact, type FlowFacts } from "./flow.ts";
export { readsFindings } from "./finding-facts.ts";
export { FLOW_ATTRIBUTES } from "./flow-facts.ts";
export type { ApprovalTerms, DisclosureTerms, Verdict, VerdictCause } from "./verdict.ts";
export type { ArgumentTargets } from "./facts.ts";
