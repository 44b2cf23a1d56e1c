import assert from "node:assert/strict";
import { createHash, verify } from "node:crypto";
import { test } from "node:test";
import { canonicalText, fromBase64Url } from "@cmcp/boundary";
import { auditBundleSchema, bundleHashInput, MAX_BUNDLE_ENTRIES, type AuditBundle } from "./bundle.ts";
import type { AuditEntry } from "./entry.ts";
import { incompleteSessionSchema } from "./incomplete.ts";
import { publicKeyOf } from "./journal.ts";
import { MAX_RECEIPT_BYTES, receiptSchema, receiptSigningInput } from "./receipt.ts";
import { bundleText, signReceipt } from "./sign.ts";
import { POLICY, WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
const key = publicKeyOf(instance.jwk);
const root = instance.start(SESSION);
const call = instance.call(SESSION, "call-1");
const receipt = signReceipt(call, instance.name, "plain", instance.sign);

function verifies(bytes: Uint8Array, signature: string): boolean {
  return verify(null, bytes, key, fromBase64Url(signature) ?? new Uint8Array());
}

test("a receipt says where in the chain one decision stands, and no field of it can be changed", () => {
  assert.deepEqual(receiptSchema.parse(receipt), receipt);
  const { signature, ...said } = receipt;
  assert.deepEqual(said, {
    v: "cmcp-receipt-v1",
    instance: instance.name,
    session_id: SESSION,
    sequence_number: 1,
    entry_hash: call.entry_hash,
    prev_entry_hash: root.entry_hash,
    call_id: "call-1",
    decision: "allow",
    policy_hash: POLICY,
    channel: "plain",
    time: call.timestamp_utc,
    time_source: "host-asserted",
  });
  assert.ok(verifies(receiptSigningInput(receipt), signature));
  for (const field of Object.keys(said)) assert.ok(!verifies(receiptSigningInput({ ...receipt, [field]: "changed" }), signature), field);
});

test("a receipt's signature is separated from every other document's by its domain", () => {
  const { signature: _, ...body } = receipt;
  assert.equal(Buffer.from(receiptSigningInput(receipt)).toString(), `cmcp-receipt-v1|${canonicalText(body)}`);
});

test("only a decided tool call has a receipt", () => {
  const without: Partial<AuditEntry>[] = [{ entry_type: "fault" }, { call_id: null }, { policy_decision: null }, { detail: null }, { detail: { policy_hash: "none" } }];
  for (const change of without) assert.throws(() => signReceipt({ ...call, ...change }, instance.name, "plain", instance.sign), { code: "INTERNAL" });
});

test("a receipt with an unknown, missing or ill-formed field is refused, and the largest fits its bound", () => {
  assert.ok(!receiptSchema.safeParse({ ...receipt, extra: 1 }).success);
  for (const field of Object.keys(receipt)) {
    const { [field]: _, ...rest } = receipt as Record<string, unknown>;
    assert.ok(!receiptSchema.safeParse(rest).success, `without ${field}`);
  }
  for (const change of [{ v: "cmcp-receipt-v2" }, { instance: "x" }, { sequence_number: 0 }, { decision: "maybe" }, { channel: "open" }, { time_source: "trusted" }, { prev_entry_hash: "genesis" }, { policy_hash: "a" }]) {
    assert.ok(!receiptSchema.safeParse({ ...receipt, ...change }).success, JSON.stringify(change));
  }
  assert.ok(canonicalText({ ...receipt, call_id: "\u{10ffff}".repeat(128), sequence_number: Number.MAX_SAFE_INTEGER, decision: "advisory_deny" }).length * 3 < MAX_RECEIPT_BYTES);
});

function bundleOf(entries: readonly AuditEntry[]): AuditBundle {
  return auditBundleSchema.parse(JSON.parse([...bundleText(SESSION, entries, instance.sign)].join("")));
}

test("an export holds the session's entries, signed over their digest", () => {
  const bundle = bundleOf([root, call]);
  assert.deepEqual(bundle.entries, [root, call]);
  const digest = createHash("sha256").update(canonicalText([root, call])).digest();
  assert.ok(verifies(digest, bundle.bundle_signature));
  assert.ok(!verifies(createHash("sha256").update(bundleHashInput([call, root])).digest(), bundle.bundle_signature));
});

test("a long export comes in pieces, and is the same text", () => {
  const entries = Array.from({ length: 600 }, (_, index) => (index === 0 ? root : call));
  assert.equal([...bundleText(SESSION, entries, instance.sign)].length, 1 + 3 + 1);
  const bundle = bundleOf(entries);
  assert.deepEqual(bundle.entries, entries);
  assert.ok(verifies(createHash("sha256").update(canonicalText(entries)).digest(), bundle.bundle_signature));
});

test("an export is never empty and never longer than a verifier reads", () => {
  assert.throws(() => bundleOf([]), { code: "INTERNAL" });
  assert.throws(() => bundleOf(Array.from({ length: MAX_BUNDLE_ENTRIES + 1 }, () => call)), { code: "INTERNAL" });
  const bundle = bundleOf([root]);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, entries: [] }).success);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, extra: 1 }).success);
  assert.ok(!auditBundleSchema.safeParse({ ...bundle, session_id: "label" }).success);
});

test("an incomplete export says so, names its key and has no place for a signature", () => {
  const left = { session_id: SESSION, incomplete: true, signing_key: instance.jwk, entries: [root, call], receipts: [receipt] };
  assert.ok(incompleteSessionSchema.safeParse(left).success);
  for (const change of [{ incomplete: false }, { bundle_signature: "x" }, { entries: [] }, { signing_key: { ...instance.jwk, d: "x" } }]) {
    assert.ok(!incompleteSessionSchema.safeParse({ ...left, ...change }).success, JSON.stringify(change));
  }
});
