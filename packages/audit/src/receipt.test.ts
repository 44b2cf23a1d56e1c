import assert from "node:assert/strict";
import { createHash, verify } from "node:crypto";
import { test } from "node:test";
import { canonicalText, fromBase64Url } from "@cmcp/boundary";
import type { AuditEntry } from "./entry.ts";
import { MAX_LEAF_BYTES } from "./leaf.ts";
import { publicKeyOf } from "./journal.ts";
import { decidedBy, MAX_RECEIPT_BYTES, receiptLeaf, receiptSchema, type Receipt } from "./receipt.ts";
import { anyReceiptSchema } from "./receipt-v2.ts";
import { ORIGIN, POLICY, WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
const root = instance.start(SESSION);
const call = instance.chain(SESSION).append({
  entry_type: "tool_call",
  call_id: "call-1",
  policy_decision: "allow",
  detail: { policy_hash: POLICY },
});
const written = instance.write({ kind: "entry", body: call }, SESSION);
assert.ok(written !== null);
const receipt: Receipt = written;

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();

/** By hashing and verifying alone: the decision is the third of three leaves, so its one sibling is left of it. */
function verifies(said: Receipt): boolean {
  const { path, note } = said.log;
  const sibling = fromBase64Url(path[0] ?? "") ?? new Uint8Array();
  const head = sha256(Uint8Array.of(1), sibling, sha256(Uint8Array.of(0), receiptLeaf(said)));
  const [text = "", line = ""] = note.split("\n\n");
  if (text !== `${ORIGIN}\n3\n${head.toString("base64")}`) return false;
  const signature = Buffer.from(line.trim().split(" ").at(-1) ?? "", "base64").subarray(4);
  return verify(null, Buffer.from(`${text}\n`), publicKeyOf(instance.jwk), signature);
}

test("a receipt says where in chain and log one decision stands, and no field of it can be changed", () => {
  assert.deepEqual(receiptSchema.parse(receipt), receipt);
  const { log, ...said } = receipt;
  assert.deepEqual([log.index, log.path.length], [2, 1]);
  assert.deepEqual(said, {
    v: "cmcp-receipt-v3",
    kind: "entry",
    instance: instance.name,
    seq: 2,
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

test("the receipt of a sealed call says what its entry commits to, and that of a plain one does not", () => {
  const [request, response] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`];
  const commits = { ...call, request_payload_hash: request, response_payload_hash: response };
  const members = { request_payload_hash: request, response_payload_hash: response };
  const { log, ...said } = receipt;
  assert.deepEqual(decidedBy(commits, "plain"), decidedBy(call, "plain"));
  assert.deepEqual(decidedBy(commits, "sealed"), { ...decidedBy(call, "sealed"), ...members });
  assert.deepEqual(decidedBy({ ...commits, response_payload_hash: null }, "sealed"), {
    ...decidedBy(call, "sealed"),
    request_payload_hash: request,
  });
  assert.deepEqual(receiptSchema.parse({ ...said, ...members, log }), { ...said, ...members, log });
  assert.ok(!receiptSchema.safeParse({ ...receipt, request_payload_hash: "1".repeat(64) }).success);
});

test("a receipt names the agent manifest that its entry names, on either channel, and none where the entry names none", () => {
  const thumbprint = `sha256:${"3".repeat(64)}`;
  const under = (manifest: string | number): AuditEntry => ({
    ...call,
    detail: { policy_hash: POLICY, agent_manifest: manifest },
  });
  for (const channel of ["plain", "sealed"] as const)
    assert.equal(decidedBy(under(thumbprint), channel).agent_manifest, thumbprint);
  for (const entry of [call, under("none"), under(3)]) assert.ok(!("agent_manifest" in decidedBy(entry, "plain")));
  const { log, ...said } = receipt;
  assert.ok(receiptSchema.safeParse({ ...said, agent_manifest: thumbprint, log }).success);
  assert.ok(!receiptSchema.safeParse({ ...said, agent_manifest: "none", log }).success);
});

test("a receipt's leaf is its canonical JSON without the place in the log", () => {
  const { log: _, ...body } = receipt;
  assert.equal(Buffer.from(receiptLeaf(receipt)).toString(), canonicalText(body));
});

test("only a decided tool call has a receipt", () => {
  const without: Partial<AuditEntry>[] = [
    { entry_type: "fault" },
    { call_id: null },
    { policy_decision: null },
    { detail: null },
    { detail: { policy_hash: "none" } },
  ];
  for (const change of without) assert.throws(() => decidedBy({ ...call, ...change }, "plain"), { code: "INTERNAL" });
});

test("a receipt with an unknown, missing or ill-formed field is refused, and the largest fits its bound", () => {
  assert.ok(!receiptSchema.safeParse({ ...receipt, extra: 1 }).success);
  for (const field of Object.keys(receipt)) {
    const { [field]: _, ...rest } = receipt as Record<string, unknown>;
    assert.ok(!receiptSchema.safeParse(rest).success, `without ${field}`);
  }
  for (const change of [
    { v: "cmcp-receipt-v1" },
    { kind: "intent" },
    { log: { ...receipt.log, index: -1 } },
    { log: { ...receipt.log, path: ["short"] } },
    { log: { ...receipt.log, path: Array.from({ length: 49 }, () => "A".repeat(43)) } },
    { log: { ...receipt.log, extra: 1 } },
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
  assert.ok(read({ time: "2026-08-01T00:00:00+02:00" }) && !read({ time: "yesterday" }));
  const noted = (length: number): boolean => read({ log: { ...receipt.log, note: "x".repeat(length) } });
  assert.deepEqual([noted(4096), noted(4097)], [true, false]);
  const largest = {
    ...receipt,
    call_id: "\u{10ffff}".repeat(128),
    sequence_number: Number.MAX_SAFE_INTEGER,
    seq: Number.MAX_SAFE_INTEGER,
    decision: "advisory_deny" as const,
    log: {
      index: Number.MAX_SAFE_INTEGER,
      path: Array.from({ length: 48 }, () => "A".repeat(43)),
      note: "\u2014".repeat(1024),
    },
  };
  assert.equal(MAX_RECEIPT_BYTES, 12 * 1024);
  assert.ok(receiptSchema.safeParse(largest).success);
  assert.ok(Buffer.byteLength(canonicalText(largest)) < MAX_RECEIPT_BYTES);
  assert.ok(receiptLeaf(largest).length < MAX_LEAF_BYTES);
});

test("a verifier reads receipts of both forms, and of no other", () => {
  const { log: _, kind: _kind, seq: _seq, ...shared } = receipt;
  const v2 = {
    ...shared,
    v: "cmcp-receipt-v2",
    signature: { index: 0, path: [], size: 1, value: "A".repeat(86) },
  };
  assert.equal(anyReceiptSchema.parse(receipt).v, "cmcp-receipt-v3");
  assert.equal(anyReceiptSchema.parse(v2).v, "cmcp-receipt-v2");
  for (const other of [
    { ...v2, v: "cmcp-receipt-v3" },
    { ...receipt, v: "cmcp-receipt-v2" },
    { ...v2, seq: 1 },
  ])
    assert.ok(!anyReceiptSchema.safeParse(other).success);
});
