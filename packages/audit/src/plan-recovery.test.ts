import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { canonicalBytes } from "@cmcp/boundary";
import type { Intent } from "./journal.ts";
import type { OpenCall } from "./open-calls.ts";
import { planRecovery } from "./plan-recovery.ts";
import { CATALOG, POLICY } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "1b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e91";
const [INSTANCE, TIP] = ["i".repeat(43), "a".repeat(64)];

const intentOf = (callId: string, said: Partial<Intent> = {}): Intent => ({
  call_id: callId,
  session_id: A,
  principal: "alice",
  tool_name: "echo",
  server_identity: "spiffe://tools",
  workflow_id: "default",
  request_hash: "sha256:request",
  policy_hash: CATALOG,
  session_sensitivity: "pii",
  tip_before: "b".repeat(64),
  length_before: 1,
  ...said,
});
const open = (callId: string, session: string, said: Partial<Intent> = {}): OpenCall => ({
  instance: INSTANCE,
  intent: intentOf(callId, said),
  session,
  tip: TIP,
  length: 7,
});

test("there is one recovery for each interrupted session, over all its open calls in order", () => {
  assert.deepEqual(planRecovery([], POLICY), []);
  const calls = [open("one", A), open("two", B), open("three", A)];
  const plan = planRecovery(calls, POLICY);
  const intents = (ids: readonly string[]): string =>
    hash("sha256", canonicalBytes(ids.map((callId) => intentOf(callId))));
  assert.deepEqual(
    plan.map(({ rootDetail, faults }) => [rootDetail, faults.map(({ call_id: id }) => id)]),
    (
      [
        [A, ["one", "three"]],
        [B, ["two"]],
      ] as const
    ).map(([session, ids]) => [
      {
        recovered_instance: INSTANCE,
        recovered_session: session,
        recovered_tip: TIP,
        recovered_length: 7,
        recovered_intents_hash: intents(ids),
      },
      ids,
    ]),
  );
});

test("a fault says of its call what the intent said, and that nobody knows the outcome", () => {
  const [step] = planRecovery([open("one", B)], POLICY);
  assert.deepEqual(step?.faults, [
    {
      entry_type: "tool_call",
      call_id: "one",
      tool_name: "echo",
      server_identity: "spiffe://tools",
      workflow_id: "default",
      policy_decision: "fault",
      policy_rule_matched: "outcome-unknown",
      request_payload_hash: "sha256:request",
      session_sensitivity_before: "pii",
      session_sensitivity_after: "pii",
      response_inspection_result: "n/a",
      detail: {
        principal: "alice",
        outcome: "unknown",
        policy_hash: POLICY,
        recovered_policy_hash: CATALOG,
        recovered_session: B,
        recovered_tip_before: "b".repeat(64),
      },
    },
  ]);
});

test("what the call could return, and its key, go with the fault where the intent names them", () => {
  const detailOf = (said: Partial<Intent>) => planRecovery([open("one", A, said)], POLICY)[0]?.faults[0]?.detail ?? {};
  const labelled = detailOf({ compartments: "mnpi", integrity: "untrusted" });
  assert.deepEqual([labelled["compartments"], labelled["integrity"]], ["mnpi", "untrusted"]);
  const key = { idempotency_key: "c".repeat(64), idempotency_request: "d".repeat(64) };
  const keyed = detailOf(key);
  assert.deepEqual([keyed["idempotency_key"], keyed["idempotency_request"]], ["c".repeat(64), "d".repeat(64)]);
  for (const half of [{ idempotency_key: "c".repeat(64) }, { idempotency_request: "d".repeat(64) }, {}]) {
    const names = Object.keys(detailOf(half));
    assert.ok(names.length > 0 && !names.some((name) => name.startsWith("idempotency")));
  }
});
