export * from "./schema.ts";
export { HISTORY_REASONS, historySchema, type History, type HistoryReason } from "./history.ts";
export { hashedEntry, type HashedEntry } from "./entry-text.ts";
export {
  dataLabelDetail,
  isUntrusted,
  resetLabelDetail,
  sessionLabelDetail,
  sessionLabelsOf,
  type EntryLabel,
} from "./entry-label.ts";
export { SessionChain, type EntryFields, type EncodedEntry } from "./chain.ts";
export { bundleText, BundleWriter, type Sign } from "./sign.ts";
export {
  bodyHash,
  encodeRecord,
  handOverBinding,
  isHashed,
  publicKeyOf,
  readLeafFacts,
  readRecord,
  type EncodedRecord,
  type EncodedStatement,
  type Intent,
  type JournalRecord,
  type JournalStatement,
  type LeafFacts,
  type ProvisionFacts,
  type SessionEnd,
} from "./journal.ts";
export { LogState, type OpenCall, type PrincipalLabel, type UnknownPast } from "./log-state.ts";
export { snapshotOf, type SnapshotStatement } from "./write-snapshot.ts";
export { MAX_PARTS, type Snapshot, type SnapshotPart, type SnapshotRow } from "./snapshot.ts";
export { planRecovery, type RecoveryStep } from "./plan-recovery.ts";
