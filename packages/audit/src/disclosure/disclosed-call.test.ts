import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMITTED_FIELDS } from "../committed-field.ts";
import { commitmentOf, disclosedCallSchema, MAX_DISCLOSED_CALL_BYTES, MAX_KEPT_TEXT } from "./disclosed-call.ts";

const FIELD = { salt: "0".repeat(64), text: "{}" };
const CALL = {
  v: "cmcp-disclosure-v1",
  session_id: "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
  call_id: "call-1",
  sequence_number: 1,
  fields: { request: FIELD },
};

test("a disclosed call has its members, each within its bounds, and no other", () => {
  const accepted = (change: object): boolean => disclosedCallSchema.safeParse({ ...CALL, ...change }).success;
  const request = (change: object): object => ({ fields: { request: { ...FIELD, ...change } } });
  assert.ok(accepted({}) && accepted({ fields: {} }));
  for (const [within, beyond] of [
    [{ call_id: "c" }, { call_id: "" }],
    [{ call_id: "c".repeat(256) }, { call_id: "c".repeat(257) }],
    [{ sequence_number: 2 }, { sequence_number: 0 }],
    [request({ text: "x".repeat(3 * 1024 * 1024) }), request({ text: "x".repeat(3 * 1024 * 1024 + 1) })],
    [request({ salt: "f".repeat(64) }), request({ salt: "f".repeat(63) })],
    [{ fields: { cedar: FIELD } }, { fields: { other: FIELD } }],
    [{ v: CALL.v }, { v: "cmcp-disclosure-v2" }],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
  assert.ok(!accepted({ extra: 1 }) && !accepted(request({ extra: 1 })));
});

test("a file has room for the longest texts that are kept", () => {
  assert.deepEqual([MAX_KEPT_TEXT, MAX_DISCLOSED_CALL_BYTES], [3 * 1024 * 1024, 32 * 1024 * 1024]);
});

test("each field's commitment stands at its own place in the entry", () => {
  const entry = {
    request_payload_hash: "request",
    response_payload_hash: "response",
    detail: {
      upstream_response_hash: "upstream",
      cedar_request_commitment: "cedar",
      answers_payload_hash: "answers",
    },
  };
  for (const field of COMMITTED_FIELDS) {
    assert.equal(commitmentOf(entry, field), field);
    assert.equal(commitmentOf({ request_payload_hash: null, response_payload_hash: null, detail: null }, field), null);
  }
  const numbers = { upstream_response_hash: 1, cedar_request_commitment: 1, answers_payload_hash: 1 };
  for (const field of ["upstream", "cedar", "answers"] as const)
    assert.equal(commitmentOf({ ...entry, detail: numbers }, field), null);
});
