import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import { receiptV2Leaf, receiptV2Schema, type ReceiptV2 } from "./receipt-v2.ts";
import { POLICY } from "./testing/instance.ts";

const RECEIPT: ReceiptV2 = {
  v: "cmcp-receipt-v2",
  instance: "A".repeat(43),
  session_id: "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
  sequence_number: 1,
  entry_hash: "1".repeat(64),
  prev_entry_hash: "2".repeat(64),
  call_id: "call-1",
  decision: "allow",
  policy_hash: POLICY,
  channel: "plain",
  time: "2026-08-01T00:00:00.000Z",
  time_source: "host-asserted",
  signature: { index: 0, path: [], size: 1, value: "A".repeat(86) },
};

test("a receipt of the earlier form has its members, each within its bounds, and no other", () => {
  const accepted = (change: object): boolean => receiptV2Schema.safeParse({ ...RECEIPT, ...change }).success;
  assert.ok(accepted({}) && accepted({ time: "2026-08-01T00:00:00+02:00" }));
  for (const [within, beyond] of [
    [{ call_id: "x" }, { call_id: "" }],
    [{ call_id: "x".repeat(256) }, { call_id: "x".repeat(257) }],
    [{ sequence_number: 2 }, { sequence_number: 0 }],
    [{ channel: "sealed" }, { channel: "open" }],
    [{ decision: "deny" }, { decision: "maybe" }],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
  assert.ok(!accepted({ seq: 1 }));
  for (const name of Object.keys(RECEIPT)) {
    const { [name]: _, ...rest } = RECEIPT as Record<string, unknown>;
    assert.ok(!receiptV2Schema.safeParse(rest).success, `without ${name}`);
  }
});

test("its leaf is the form's name and the canonical JSON of everything but the signature", () => {
  const { signature: _, ...body } = RECEIPT;
  for (const receipt of [RECEIPT, body])
    assert.equal(Buffer.from(receiptV2Leaf(receipt)).toString(), `cmcp-receipt-v2|${canonicalText(body)}`);
});
