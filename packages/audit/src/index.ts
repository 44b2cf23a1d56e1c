export * from "./schema.ts";
export { hashedEntry, type HashedEntry } from "./entry-text.ts";
export { SessionChain, type EntryFields } from "./chain.ts";
export { bundleText, signReceipt, type Sign } from "./sign.ts";
export {
  decodeRecord,
  JOURNAL_VERSION,
  MAX_RECORD_BYTES,
  MAX_SIGNED_TOGETHER,
  publicKeyOf,
  unsignedRecord,
  type InstanceFacts,
  type Intent,
  type JournalRecord,
  type JournalStatement,
  type SigningJwk,
} from "./journal.ts";
export { isAuthentic, signRecords } from "./journal-signature.ts";
export {
  JournalReader,
  MAX_RECOVERED_SESSIONS,
  recover,
  type RecoveredInstance,
  type RecoveredSession,
} from "./recover.ts";
export { planRecovery, type RecoveryStep } from "./plan-recovery.ts";
export { UntouchedReader } from "./untouched.ts";
