export {
  AGENT_MANIFEST,
  auditEntrySchema,
  callDetailSchema,
  catalogLoadDetailSchema,
  DECISIONS,
  ENTRY_TYPES,
  entryHashInput,
  EVIDENCE_CLASSES,
  INSPECTION_RESULTS,
  MAX_DETAIL_MEMBERS,
  MAX_ENTRY_TEXT,
  policyDetailSchema,
  policyLoadDetailSchema,
  rootDetailSchema,
  type AuditDecision,
  type AuditEntry,
  type EntryType,
  type RootDetail,
} from "./entry.ts";
export { COMMITTED_FIELDS, commitmentPrefix, SALT_BYTES, type CommittedField } from "./committed-field.ts";
export {
  commitmentOf,
  disclosedCallSchema,
  MAX_DISCLOSED_CALL_BYTES,
  MAX_KEPT_TEXT,
  type DisclosedCall,
} from "./disclosure/disclosed-call.ts";
export { auditBundleSchema, bundleHashInput, MAX_BUNDLE_ENTRIES, type AuditBundle } from "./bundle.ts";
export {
  decidedBy,
  logPlaceSchema,
  MAX_RECEIPT_BYTES,
  RECEIPT_META_KEY,
  RECEIPT_VERSION,
  receiptBodySchema,
  receiptLeaf,
  receiptSchema,
  SALTS_META_KEY,
  type Decided,
  type LogPlace,
  type Receipt,
  type ReceiptBody,
} from "./receipt.ts";
export { anyReceiptSchema, RECEIPT_V2, receiptV2Leaf, type AnyReceipt, type ReceiptV2 } from "./receipt-v2.ts";
export { MAX_SIGNED_TOGETHER, TREE_VERSION, treeSigningInput, type TreeSignature } from "./tree-signature.ts";
export {
  claimLeaf,
  ERASABLE_KINDS,
  LEAF_VERSION,
  MAX_RECORD_BYTES,
  RECORD_KINDS,
  type RecordKind,
} from "./leaf.ts";
export {
  handOverLeaf,
  handOverSchema,
  provenHandOverSchema,
  signingJwkSchema,
  type HandOver,
  type ProvenHandOver,
  type SigningJwk,
} from "./hand-over.ts";
export { incompleteSessionSchema, type IncompleteSession } from "./incomplete.ts";
export {
  MAX_STATEMENT_BYTES,
  MAX_STATEMENT_REASON,
  operatorSigningInput,
  type OperatorStatement,
} from "./operator-statement.ts";
export {
  resetDetailSchema,
  resetStatementSchema,
  signedResetSchema,
  type ResetStatement,
  type SignedReset,
} from "./reset.ts";
export {
  erasureStatementSchema,
  signedErasureSchema,
  type ErasureStatement,
  type SignedErasure,
} from "./erasure.ts";
export { epochOpening, epochText, type EpochFacts, type EpochOpening } from "./epoch-opening.ts";
export {
  epochOf,
  epochProblem,
  lostStoreStatementSchema,
  nextEpoch,
  signedLostStoreSchema,
  type LostStoreStatement,
  type SignedLostStore,
} from "./lost-store.ts";
export {
  CLOSED_SESSION,
  continuationOf,
  predecessorOf,
  PREVIOUS_SESSION,
  sessionAfter,
  SUCCESSOR_SESSION,
  successorOf,
} from "./successor.ts";
export {
  KILL_SWITCH_REASONS,
  killSwitchDetail,
  killSwitchEvent,
  killSwitchStatementOf,
  killSwitchStatementSchema,
  signedKillSwitchSchema,
  type KillSwitchStatement,
  type SignedKillSwitch,
} from "./kill-switch.ts";
export {
  isPolicyKeyEntry,
  policyKeyDetail,
  policyKeyStatementOf,
  policyKeyStatementSchema,
  signedPolicyKeySchema,
  type PolicyKeyStatement,
  type SignedPolicyKey,
} from "./policy-key.ts";
