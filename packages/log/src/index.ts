export * from "./format.ts";
export {
  appendLeaves,
  EMPTY_RANGE,
  leafHash,
  nodeHash,
  rangeFromHashes,
  rootOf,
  type CompactRange,
  type GrownLog,
} from "./tree.ts";
export { isSignedBy, readVerifierKey, verifierKey } from "./verify.ts";
