/** What a state keeps, drops and counts, beside what entries add to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { callKeyDetail } from "./call-key.ts";
import { killSwitchDetail, type KillSwitchStatement } from "./kill-switch.ts";
import { LogState } from "./log-state.ts";
import { policyKeyDetail, type SignedPolicyKey } from "./policy-key.ts";
import { POLICY, WritingInstance } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "1b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e91";
const SIGNATURES = { key: "k".repeat(43), signature: "s".repeat(86) };
const [KEY, REQUEST] = ["a".repeat(64), "b".repeat(64)];
const TIME = 1_785_000_000_000;

const label = (instance: WritingInstance, principal: string, after: string): void =>
  void instance.entry(A, { entry_type: "fault", session_sensitivity_after: after, detail: { principal } });
const reset = (instance: WritingInstance, principal: string): void =>
  void instance.entry(A, { entry_type: "session_reset", session_sensitivity_after: "public", detail: { principal } });
function turn(instance: WritingInstance, purpose: KillSwitchStatement["purpose"], principal: string): void {
  const statement = { v: 1, purpose, instance: instance.name, principal, sequence: 1, reason: "r" } as const;
  instance.entry(A, { entry_type: "break_glass_used", detail: killSwitchDetail({ statement, ...SIGNATURES }) });
}
/** An instance that found its log's past incomplete. */
function forgetful(): WritingInstance {
  const first = new WritingInstance();
  const later = new WritingInstance(undefined, first.log, { history: { state: "incomplete", reason: "gap" } });
  later.start(A);
  return later;
}

test("a key is known from its call's intent on, and the entry says that the call has ended", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.intent(A, "one", callKeyDetail({ key: KEY, request: REQUEST }));
  const { keys } = instance.log.state;
  assert.deepEqual(keys.find(KEY), { principal: "alice", request: REQUEST, index: 2, ended: false });
  instance.call(A, "one", { detail: { principal: "alice", ...callKeyDetail({ key: KEY, request: REQUEST }) } });
  assert.deepEqual(keys.find(KEY), { principal: "alice", request: REQUEST, index: 3, ended: true });
});

test("an intent that names half of a key notes none", () => {
  const instance = new WritingInstance();
  instance.start(A);
  instance.intent(A, "one", { idempotency_key: KEY });
  instance.intent(A, "two", { idempotency_request: REQUEST });
  assert.equal(instance.log.state.keys.size, 0);
});

test("over an unknown past any key may have been used before its hand-over", () => {
  const instance = forgetful();
  assert.equal(instance.log.state.keys.forgottenOf("anybody"), 1);
});

test("a statement about policy keys that two entries record counts once", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const revocation = (signature: string): SignedPolicyKey => ({
    statement: {
      v: 1,
      purpose: "policy-key-revoke",
      instance: instance.name,
      sequence: 1,
      reason: "r",
      policy_key: "p".repeat(43),
    },
    key: SIGNATURES.key,
    signature,
  });
  for (const signature of ["s", "s", "t"])
    instance.entry(A, { entry_type: "break_glass_used", detail: policyKeyDetail(revocation(signature.repeat(86))) });
  assert.deepEqual(
    instance.log.state.policyKeys.map(({ signature }) => signature[0]),
    ["s", "t"],
  );
});

test("a principal that is stopped again is vouched for no more", () => {
  const instance = forgetful();
  const { state } = instance.log;
  turn(instance, "kill-switch-unblock", "bob");
  assert.deepEqual([[...state.blocked], [...(state.unknown?.unblocked ?? [])]], [[], ["bob"]]);
  turn(instance, "kill-switch-trip", "bob");
  assert.deepEqual([[...state.blocked], [...(state.unknown?.unblocked ?? [])]], [["bob"], []]);
});

test("resets since the past was unknown are dropped with it, and what was unblocked stays", () => {
  const instance = forgetful();
  const { state } = instance.log;
  const since = state.unknown?.since ?? assert.fail();
  reset(instance, "bob");
  turn(instance, "kill-switch-unblock", "bob");
  const vouched = () => [[...(state.unknown?.reset ?? [])], [...(state.unknown?.unblocked ?? [])]];
  state.dropPrincipals(since);
  assert.deepEqual(vouched(), [["bob"], ["bob"]]);
  state.dropPrincipals(since + 1);
  assert.deepEqual(vouched(), [[], ["bob"]]);
  const known = new LogState();
  known.dropPrincipals(since + 1);
  assert.equal(known.unknown, null);
});

test("a principal keeps the latest time that named it, and the labels of all", () => {
  const state = new LogState();
  const instance = new WritingInstance();
  const entry = (at: number, after: string) => ({
    ...instance.chain(A).append({
      entry_type: instance.chain(A).length === 0 ? "session_start" : "fault",
      session_sensitivity_after: after,
      detail: { principal: "alice", ...(after === "pii" ? { integrity: "untrusted" } : {}) },
    }),
    timestamp_utc: new Date(at).toISOString(),
  });
  for (const [at, after] of [
    [TIME, "public"],
    [TIME + 2, "pii"],
    [TIME + 1, "mnpi"],
  ] as const)
    state.apply({ kind: "entry", body: entry(at, after) }, instance.name, 0);
  const alice = state.principals.get("alice");
  assert.deepEqual([[...(alice?.labels ?? [])], alice?.untrusted], [["public", "pii", "mnpi"], true]);
  assert.deepEqual([alice?.time, state.timeFloor], [TIME + 2, TIME + 2]);
});

test("the size of a state is the number of its facts, of every kind", () => {
  assert.equal(new LogState().size, 0, "of a past that is known nothing is vouched for");
  const instance = forgetful();
  const { state } = instance.log;
  // The bound of forgotten keys is the one fact that the hand-over makes.
  assert.equal(state.size, 1);
  const grows = (by: number, what: string): void => {
    const before = state.size;
    acts[what]?.();
    assert.equal(state.size - before, by, what);
  };
  const tokens = ["0".repeat(64), "1".repeat(64)];
  const provision = { sequence: 1, principals: [{ principal: "alice", tokens }], credentials: [] };
  const acts: Readonly<Record<string, () => void>> = {
    principal: () => label(instance, "alice", "pii"),
    "a principal, and its reset": () => reset(instance, "bob"),
    unblocked: () => turn(instance, "kill-switch-unblock", "carol"),
    blocked: () => turn(instance, "kill-switch-trip", "dan"),
    calls: () => {
      instance.intent(A, "one");
      instance.intent(A, "two");
      instance.start(B);
      instance.intent(B, "three");
    },
    tokens: () => void instance.write({ kind: "provision", body: provision }),
    "a key and its principal": () => void instance.intent(A, "one", callKeyDetail({ key: KEY, request: REQUEST })),
  };
  grows(1, "principal");
  grows(2, "a principal, and its reset");
  grows(1, "unblocked");
  grows(1, "blocked");
  grows(3, "calls");
  grows(2, "tokens");
  grows(2, "a key and its principal");
  assert.equal([...state.rows()].length, state.size - 1, "the principal of keys and its keys are one row");
});

test("a call's row without the form of an intent is not taken", () => {
  const state = new LogState();
  const call = {
    row: "call",
    instance: "i".repeat(43),
    session_id: A,
    call_id: "one",
    tip: "0".repeat(64),
    length: 1,
  } as const;
  assert.equal(state.restoreRow({ ...call, intent: {} }), false);
  assert.deepEqual(state.openCalls, []);
  const instance = new WritingInstance();
  instance.start(A);
  assert.equal(state.restoreRow({ ...call, intent: { ...instance.intent(A, "one") } }), true);
  assert.equal(state.openCalls.length, 1);
});

test("there is no summary before the first hand-over, and none is left out of what it says", () => {
  assert.throws(() => new LogState().summary(), TypeError);
  const { state } = forgetful().log;
  assert.deepEqual([state.summary().believed_from, state.summary().unknown_since], [1, state.unknown?.since]);
  assert.deepEqual(state.handOver?.policy_hash, POLICY);
});

test("an entry of another instance closes the call of the session that it recovers, and moves no chain", () => {
  const instance = new WritingInstance();
  const root = instance.start(A);
  instance.intent(A, "one");
  instance.intent(A, "two");
  const later = new WritingInstance(undefined, instance.log);
  later.start(B, { recovered_session: A });
  later.call(B, "one", { policy_decision: "fault", detail: { recovered_session: A } });
  assert.deepEqual(
    instance.log.state.openCalls.map(({ intent, session, tip, length }) => [intent.call_id, session, tip, length]),
    [["two", A, root.entry_hash, 1]],
  );
});
