export * from "./schema.ts";
export { HISTORY_REASONS, historySchema, type History, type HistoryReason } from "./history.ts";
export { hashedEntry, type HashedEntry } from "./entry-text.ts";
export { dataLabelDetail, isUntrusted, sessionLabelDetail, sessionLabelsOf, type EntryLabel } from "./entry-label.ts";
export { SessionChain, type EntryFields, type EncodedEntry } from "./chain.ts";
export { bundleText, BundleWriter, type Sign } from "./sign.ts";
export {
  decodeRecord,
  JOURNAL_VERSION,
  MAX_RECORD_BYTES,
  publicKeyOf,
  readRecord,
  unsignedRecord,
  type InstanceFacts,
  type Intent,
  type JournalRecord,
  type JournalStatement,
  type ProvisionFacts,
  type SessionEnd,
  type SigningJwk,
  type EncodedStatement,
} from "./journal.ts";
export { isAuthentic, receiptOfRecord, signTogether, type SignedStatement, type Statement } from "./sign-together.ts";
export {
  JournalReader,
  MAX_RECOVERED_SESSIONS,
  recover,
  type KillSwitchMark,
  type RecoveredInstance,
} from "./recover.ts";
export type { RecoveredSession } from "./session-state.ts";
export { planRecovery, type RecoveryStep } from "./plan-recovery.ts";
export { TipJournalReader } from "./tip-journal-reader.ts";
