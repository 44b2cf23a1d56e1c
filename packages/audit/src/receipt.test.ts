import assert from "node:assert/strict";
import { createHash, verify } from "node:crypto";
import { test } from "node:test";
import { canonicalText, fromBase64Url } from "@cmcp/boundary";
import type { AuditEntry } from "./entry.ts";
import { publicKeyOf } from "./journal.ts";
import { MAX_RECEIPT_BYTES, receiptLeaf, receiptOf, receiptSchema, type Receipt } from "./receipt.ts";
import { signTogether } from "./sign-together.ts";
import { POLICY, unsigned, WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
const key = publicKeyOf(instance.jwk);
const root = instance.start(SESSION);
const call = instance.call(SESSION, "call-1");
const [signed] = signTogether(
  [unsigned({ kind: "entry", body: { entry: call, receipt: "plain" } }, instance.name, 2)],
  instance.sign,
);
assert.ok(signed?.receipt != null);
const { receipt } = signed;

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();

/** By hashing and verifying alone: the receipt is the second of two leaves, after its record. */
function verifies(said: Receipt): boolean {
  const { path, value } = said.signature;
  const head = sha256(
    Uint8Array.of(1),
    fromBase64Url(path[0] ?? "") ?? new Uint8Array(),
    sha256(Uint8Array.of(0), receiptLeaf(said)),
  );
  return verify(
    null,
    Buffer.concat([Buffer.from("cmcp-tree-v1|"), Uint8Array.of(0, 0, 0, 2), head]),
    key,
    fromBase64Url(value) ?? new Uint8Array(),
  );
}

test("a receipt says where in the chain one decision stands, and no field of it can be changed", () => {
  assert.deepEqual(receiptSchema.parse(receipt), receipt);
  const { signature, ...said } = receipt;
  assert.deepEqual([signature.index, signature.size, signature.path.length], [1, 2, 1]);
  assert.deepEqual(said, {
    v: "cmcp-receipt-v2",
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
  assert.ok(verifies(receipt));
  for (const field of Object.keys(said)) assert.ok(!verifies({ ...receipt, [field]: "changed" }), field);
});

test("a receipt's leaf is separated from every record's by its beginning", () => {
  const { signature: _, ...body } = receipt;
  assert.equal(Buffer.from(receiptLeaf(receipt)).toString(), `cmcp-receipt-v2|${canonicalText(body)}`);
});

test("only a decided tool call has a receipt", () => {
  const without: Partial<AuditEntry>[] = [
    { entry_type: "fault" },
    { call_id: null },
    { policy_decision: null },
    { detail: null },
    { detail: { policy_hash: "none" } },
  ];
  for (const change of without)
    assert.throws(() => receiptOf({ ...call, ...change }, instance.name, "plain"), { code: "INTERNAL" });
});

test("a receipt with an unknown, missing or ill-formed field is refused, and the largest fits its bound", () => {
  assert.ok(!receiptSchema.safeParse({ ...receipt, extra: 1 }).success);
  for (const field of Object.keys(receipt)) {
    const { [field]: _, ...rest } = receipt as Record<string, unknown>;
    assert.ok(!receiptSchema.safeParse(rest).success, `without ${field}`);
  }
  for (const change of [
    { v: "cmcp-receipt-v1" },
    { signature: "A".repeat(86) },
    { instance: "x" },
    { sequence_number: 0 },
    { decision: "maybe" },
    { channel: "open" },
    { time_source: "trusted" },
    { prev_entry_hash: "genesis" },
    { policy_hash: "a" },
  ]) {
    assert.ok(!receiptSchema.safeParse({ ...receipt, ...change }).success, JSON.stringify(change));
  }
  const read = (change: object): boolean => receiptSchema.safeParse({ ...receipt, ...change }).success;
  assert.ok(read({ call_id: "x" }) && read({ call_id: "x".repeat(256) }) && read({ sequence_number: 1 }));
  assert.ok(!read({ call_id: "" }) && !read({ call_id: "x".repeat(257) }));
  assert.equal(MAX_RECEIPT_BYTES, 4096);
  assert.ok(
    canonicalText({
      ...receipt,
      call_id: "\u{10ffff}".repeat(128),
      sequence_number: Number.MAX_SAFE_INTEGER,
      decision: "advisory_deny",
      signature: {
        index: 255,
        path: Array.from({ length: 8 }, () => "A".repeat(43)),
        size: 256,
        value: "A".repeat(86),
      },
    }).length *
      3 <
      MAX_RECEIPT_BYTES,
  );
});
