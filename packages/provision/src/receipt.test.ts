import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { readReceipt, receiptInput, type ProvisionReceipt } from "./receipt.ts";

const RECEIPT: ProvisionReceipt = {
  v: 1,
  instance: "A".repeat(43),
  statement: `sha256:${"1".repeat(64)}`,
  provision_sequence: 1,
  provision_hash: `sha256:${"2".repeat(64)}`,
};

test("a receipt has its members and no other, and its signature has a domain of its own", () => {
  const signed = { receipt: RECEIPT, signature: "A".repeat(86) };
  assert.deepEqual(readReceipt({ ...signed }), signed);
  assert.ok(Buffer.from(receiptInput(RECEIPT)).toString().startsWith('cmcp-provision-receipt-v1|{"instance":'));
  const others: JsonObject[] = [
    {},
    { ...signed, more: 1 },
    { ...signed, signature: "" },
    { ...signed, receipt: { ...RECEIPT, v: 2 } },
    { ...signed, receipt: { ...RECEIPT, provision_sequence: 0 } },
    { ...signed, receipt: { ...RECEIPT, statement: "x" } },
  ];
  for (const other of others) assert.throws(() => readReceipt(other), { code: "GATEWAY_ANSWER_INVALID" });
});
