/** Calls that are open between their intents and their entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogState } from "./log-state.ts";
import { planRecovery } from "./plan-recovery.ts";
import { POLICY, WritingInstance } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "1b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e91";
const C = "2b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e92";

test("a call is open from its intent to its entry, and one of a later instance closes it too", () => {
  const instance = new WritingInstance();
  const root = instance.start(A, { principal: "alice" });
  const intent = instance.intent(A, "one");
  instance.intent(A, "two");
  const denied = instance.call(A, "three");
  assert.deepEqual(
    instance.log.state.openCalls.map(({ intent: { call_id }, tip, length, instance: by }) => [
      call_id,
      tip,
      length,
      by,
    ]),
    ["one", "two"].map((id) => [id, denied.entry_hash, 2, instance.name]),
  );
  assert.deepEqual([intent.tip_before, intent.length_before], [root.entry_hash, 1]);
  instance.call(A, "one");
  const later = new WritingInstance(undefined, instance.log);
  later.start(B, { principal: "recovery" });
  const [step, ...others] = planRecovery(instance.log.state.openCalls, POLICY);
  assert.deepEqual(others, []);
  assert.equal(step?.rootDetail.recovered_length, 3);
  for (const fault of step?.faults ?? []) later.entry(B, fault);
  assert.deepEqual(instance.log.state.openCalls, []);
  assert.deepEqual(
    [...(instance.log.state.principals.get("alice")?.labels ?? [])],
    ["pii"],
    "what it could return counts",
  );
});

test("a call that runs while its session is reset ends in the successor, in this instance or by the next one", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  instance.intent(A, "one");
  instance.intent(A, "two");
  const detail = { principal: "alice", closed_session_id: A, successor_session_id: B };
  const reset = instance.entry(A, { entry_type: "session_reset", session_sensitivity_after: "public", detail });
  assert.deepEqual(
    instance.log.state.openCalls.map(({ session, tip, length }) => [session, tip, length]),
    [
      [B, reset.entry_hash, 2],
      [B, reset.entry_hash, 2],
    ],
  );
  const { state } = instance.log;
  const restored = new LogState();
  for (const row of state.rows()) restored.restoreRow(row);
  assert.deepEqual(restored.openCalls, state.openCalls);
  const later = new WritingInstance(undefined, instance.log);
  const [step, ...others] = planRecovery(state.openCalls, POLICY);
  assert.deepEqual([others, step?.rootDetail.recovered_session, step?.rootDetail.recovered_length], [[], B, 2]);
  later.start(C, { principal: "recovery" });
  for (const fault of step?.faults ?? []) later.entry(C, fault);
  assert.deepEqual(state.openCalls, []);
});
