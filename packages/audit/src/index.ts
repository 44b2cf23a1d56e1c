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
export { openedEpoch, type MeasuredEpoch } from "./opened-epoch.ts";
export { verifiesStatement } from "./verify-statement.ts";
export { beginCommitment, commitmentTo, saltOf, SESSION_KEY_BYTES } from "./commitment.ts";
export {
  disclose,
  openPayloads,
  sealPayloads,
  type CommittedTexts,
  type KeptPayloads,
} from "./disclosure/kept-payloads.ts";
export {
  auditorOf,
  openSessionKey,
  sealSessionKey,
  type Auditor,
  type SessionKeyRecord,
} from "./disclosure/session-key.ts";
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
export {
  callKeyDetail,
  endedCallKey,
  keyDigest,
  keyedRequestDigest,
  type CallKey,
  type KeyScope,
} from "./call-key.ts";
export { MAX_KEYS, MAX_KEYS_OF_PRINCIPAL, UsedKeys, type UsedKey } from "./used-keys.ts";
export { LogState, type PrincipalLabel, type UnknownPast } from "./log-state.ts";
export type { OpenCall } from "./open-calls.ts";
export { snapshotOf, type SnapshotStatement } from "./write-snapshot.ts";
export { MAX_PARTS, type Snapshot, type SnapshotPart, type SnapshotRow } from "./snapshot.ts";
export { planRecovery, type RecoveryStep } from "./plan-recovery.ts";
