export { anchorsSchema, MAX_ANCHORS, readAnchorFile, type ManifestAnchor, type NamedAnchor } from "./anchors.ts";
export {
  isBound,
  PROBLEMS,
  problemOf,
  revocationProblem,
  type ManifestProblem,
  type ManifestTerms,
} from "./appraise.ts";
export {
  agentIdentity,
  factsOf,
  manifestDetail,
  type AgentIdentity,
  type BoundFacts,
  type ManifestFacts,
  type SubjectSource,
} from "./facts.ts";
export { MAX_CBOR_DEPTH, MAX_CBOR_ITEMS } from "./cbor.ts";
export {
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_ITEMS,
  readManifest,
  type ManifestForm,
  type ReadManifest,
} from "./read-manifest.ts";
export {
  coversTime,
  MAX_REVOCATIONS_BYTES,
  MAX_REVOCATIONS_SECONDS,
  MAX_REVOKED_MANIFESTS,
  MAX_REVOKED_NAMES,
  readRevocations,
  revocationsInput,
  signRevocations,
  type RevocationList,
  type SignedRevocations,
} from "./revocations.ts";
