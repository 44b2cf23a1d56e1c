export {
  parseProvision,
  STORAGE_KEY_BYTES,
  type Provision,
  type StatementMessage,
  type StorageKey,
} from "./message.ts";
export { readReceipt, receiptInput, type ProvisionReceipt, type SignedReceipt } from "./receipt.ts";
export {
  MAX_STATEMENT_BYTES,
  openStatement,
  PURPOSE,
  readStatement,
  sealStatement,
  signingInput,
  type ProvisioningKey,
  type ProvisionHeader,
  type ProvisionStatement,
  type SignedProvision,
} from "./statement.ts";
export { openStoredSet, sealStoredSet, type StoredPlace, type StoredSet } from "./stored-set.ts";
