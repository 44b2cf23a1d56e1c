import { hash } from "node:crypto";
import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionChain } from "./chain.ts";
import {
  auditEntrySchema,
  callDetailSchema,
  entryHashInput,
  policyDetailSchema,
  policyLoadDetailSchema,
  rootDetailSchema,
  type AuditEntry,
} from "./entry.ts";
import { CATALOG, POLICY } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const good: AuditEntry = new SessionChain(SESSION, () => 0).append({ entry_type: "session_start" });

const accepted = (change: object): boolean => auditEntrySchema.safeParse({ ...good, ...change }).success;

test("a time may name any offset", () => {
  assert.ok(accepted({ timestamp_utc: "2026-08-01T00:00:00+02:00" }));
});

test("every field is present, and null where it does not apply", () => {
  assert.ok(accepted({}));
  for (const field of Object.keys(good)) {
    const { [field]: _, ...rest } = good as Record<string, unknown>;
    assert.ok(!auditEntrySchema.safeParse(rest).success, `without ${field}`);
  }
});

test("a field nobody documented is refused", () => {
  assert.ok(!accepted({ extra: null }));
  const evidence = {
    issuer: "i",
    issuer_key_id: "0".repeat(64),
    signature: "s",
    evidence_hash: POLICY,
    evidence_type: "opaque-receipt",
    linked_call_id: "c",
  };
  assert.ok(accepted({ external_execution_evidence: evidence }));
  assert.ok(!accepted({ external_execution_evidence: { ...evidence, extra: 1 } }));
  assert.ok(!accepted({ external_execution_evidence: { ...evidence, evidence_hash: "md5:0" } }));
});

test("words outside the vocabulary, ids, times and hashes of another form are refused", () => {
  const refused: object[] = [
    { entry_type: "call" },
    { policy_decision: "allowed" },
    { response_inspection_result: "ok" },
    { evidence_class: "trusted" },
    { entry_id: "1" },
    { session_id: "1" },
    { timestamp_utc: "yesterday" },
    { sequence_number: -1 },
    { sequence_number: 0.5 },
    { sequence_number: 2 ** 53 },
    { latency_us: -1 },
    { latency_us: 0.5 },
    { prev_entry_hash: "Genesis" },
    { entry_hash: "A".repeat(64) },
    { entry_hash: `sha256:${"0".repeat(64)}` },
  ];
  for (const change of refused) assert.ok(!accepted(change), JSON.stringify(change));
});

test("texts and details are bounded and flat", () => {
  assert.ok(accepted({ tool_name: "x".repeat(4096) }));
  assert.ok(!accepted({ tool_name: "x".repeat(4097) }));
  const members = (count: number): object =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
  assert.ok(accepted({ detail: members(64) }));
  assert.ok(!accepted({ detail: members(65) }));
  assert.ok(accepted({ detail: { a: 1, b: "x", ["k".repeat(128)]: "x".repeat(4096) } }));
  for (const detail of [
    { a: { b: 1 } },
    { a: [1] },
    { a: null },
    { a: true },
    { a: "x".repeat(4097) },
    { ["k".repeat(129)]: 1 },
    "text",
  ]) {
    assert.ok(!accepted({ detail }));
  }
});

test("the hash covers every field but itself", () => {
  assert.equal(hash("sha256", entryHashInput(good)), good.entry_hash);
  assert.equal(hash("sha256", entryHashInput({ ...good, entry_hash: "f".repeat(64) })), good.entry_hash);
  for (const field of Object.keys(good).filter((name) => name !== "entry_hash")) {
    assert.notEqual(hash("sha256", entryHashInput({ ...good, [field]: "changed" })), good.entry_hash, field);
  }
});

test("a root entry names what the session runs under, a call the policy that decided it", () => {
  const root = {
    policy_hash: POLICY,
    catalog_hash: CATALOG,
    enforcement_mode: "enforcing",
    launch_digest: POLICY,
    channel: "plain",
    isolation: "none",
    principal: "p",
  };
  assert.ok(rootDetailSchema.safeParse(root).success);
  for (const field of ["policy_hash", "catalog_hash", "enforcement_mode", "launch_digest", "channel", "isolation"]) {
    const { [field]: _, ...rest } = root as Record<string, unknown>;
    assert.ok(!rootDetailSchema.safeParse(rest).success, `without ${field}`);
    if (field !== "launch_digest")
      assert.ok(!rootDetailSchema.safeParse({ ...root, [field]: "other" }).success, `another ${field}`);
  }
  assert.ok(callDetailSchema.safeParse({ policy_hash: POLICY, more: 1 }).success);
  assert.ok(!callDetailSchema.safeParse({ compliance_domain: "pii" }).success);
  assert.ok(!callDetailSchema.safeParse(null).success);
  for (const schema of [policyDetailSchema, policyLoadDetailSchema]) {
    const read = (version: string): boolean =>
      schema.safeParse({ policy_hash: POLICY, previous_policy_hash: CATALOG, policy_version: version }).success;
    assert.deepEqual([read("x".repeat(4096)), read("x".repeat(4097))], [true, false]);
  }
});
