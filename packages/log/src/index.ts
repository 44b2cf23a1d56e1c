export * from "./format.ts";
export { readInstancePolicy } from "./instance-policy.ts";
export { Rounds, witnessedHead, type Round, type StoredHead, type WitnessedHead } from "./rounds.ts";
export {
  appendLeaves,
  EMPTY_RANGE,
  leafHash,
  nodeHash,
  rangeFromHashes,
  rootOf,
  sha256,
  type CompactRange,
  type GrownLog,
} from "./tree.ts";
export { cosignedAt, cosignedTimes, isSignedBy, readVerifierKey, readWitnessPolicy, verifierKey } from "./verify.ts";
