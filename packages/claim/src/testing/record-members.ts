import type { Intent, ProvisionFacts, Snapshot, SnapshotPart, SnapshotRow } from "@cmcp/audit";

type KeyOfEach<T> = T extends unknown ? keyof T : never;

/** Names in records that have a type and no public schema: the compiler says which are missing. */
export const RECORD_MEMBERS = Object.keys({
  call_id: true,
  session_id: true,
  principal: true,
  tool_name: true,
  server_identity: true,
  workflow_id: true,
  request_hash: true,
  policy_hash: true,
  catalog_hash: true,
  session_sensitivity: true,
  compartments: true,
  integrity: true,
  idempotency_key: true,
  idempotency_request: true,
  tip_before: true,
  length_before: true,
  sequence: true,
  tokenless: true,
  principals: true,
  credentials: true,
  part: true,
  rows: true,
  row: true,
  labels: true,
  untrusted: true,
  time: true,
  instance: true,
  intent: true,
  tip: true,
  length: true,
  commitment: true,
  signed: true,
  call: true,
  token: true,
  blocked: true,
  "policy-key": true,
  reset: true,
  unblocked: true,
  keys: true,
  forgotten: true,
  "forgotten-keys": true,
  before: true,
  at: true,
  range: true,
  parts: true,
  hand_over: true,
  believed_from: true,
  provision: true,
  statement: true,
  statement_sequence: true,
  stored: true,
  stored_set: true,
  restored_from: true,
  unknown_since: true,
  time_floor: true,
  sealed_identities: true,
} satisfies Record<
  | keyof Intent
  | keyof ProvisionFacts
  | keyof SnapshotPart
  | KeyOfEach<SnapshotRow>
  | SnapshotRow["row"]
  | keyof Snapshot,
  true
>);
