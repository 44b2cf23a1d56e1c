import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { makeCall, requestFor, sessionOf } from "../testing/calls.ts";
import { RequestStates, stateContext, type StateContext, type WaitingState } from "./request-state.ts";

const context: StateContext = {
  principal: "alice",
  session: "s",
  method: "tools/call",
  params: { name: "tool", arguments: { a: 1 } },
};
const INVALID = { code: "REQUEST_STATE_INVALID" };

function waitingFor(serverState: string | null): WaitingState {
  return { serverState, questions: {} };
}

test("a state opens once, to the server's state and its questions", () => {
  const states = new RequestStates(() => 0);
  const params = fc
    .dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3, noNullPrototype: true })
    .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
  const question = fc.record({ method: fc.string({ maxLength: 30 }), params }, { noNullPrototype: true });
  const waiting = fc.record(
    {
      serverState: fc.option(fc.string({ unit: "binary", maxLength: 100 })),
      questions: fc.dictionary(fc.string({ maxLength: 20 }), question, { maxKeys: 3, noNullPrototype: true }),
    },
    { noNullPrototype: true },
  );
  // The reader that every message comes through takes no such key.
  const readable = waiting.filter((given) => !JSON.stringify(given).includes("__proto__"));
  fc.assert(
    fc.property(readable, (given) => {
      const sealed = states.seal(context, given);
      assert.deepEqual(states.open(context, sealed), given);
      assert.throws(() => states.open(context, sealed), INVALID);
    }),
  );
});

test("a state is for one principal, session, method and set of parameters", () => {
  const states = new RequestStates(() => 0);
  const sealed = states.seal(context, waitingFor("state"));
  states.seal({ ...context, session: "t" }, waitingFor("another"));
  for (const other of [
    { principal: "bob" },
    { session: "t" },
    { method: "prompts/get" },
    { params: { name: "tool", arguments: { a: 2 } } },
  ])
    assert.throws(() => states.open({ ...context, ...other }, sealed), INVALID);
  assert.equal(states.open(context, sealed).serverState, "state", "what was refused did not use it up");
});

test("a state that is read can still be opened, for as long as it is needed", () => {
  let now = 0;
  const states = new RequestStates(() => now);
  const [kept, left] = [states.seal(context, waitingFor("kept")), states.seal(context, waitingFor("left"))];
  assert.equal(states.peek(context, kept, 2_000_000).serverState, "kept");
  assert.equal(states.peek(context, left, 1).serverState, "left", "no shorter than before");
  assert.throws(() => states.peek({ ...context, session: "t" }, kept, 1), INVALID);
  now = 899_999;
  assert.equal(states.peek(context, left, 1).serverState, "left");
  now = 2_000_000;
  assert.throws(() => states.open(context, left), INVALID);
  assert.equal(states.open(context, kept).serverState, "kept");
  assert.throws(() => states.peek(context, kept, 3_000_000), INVALID);
});

test("a call's state is bound to its session, principal, method, name and arguments, and to no id of the request", () => {
  const recorded = sessionOf();
  const of = (rest: Parameters<typeof requestFor>[0], by = recorded): StateContext =>
    stateContext(makeCall(requestFor(rest), { recorded: by }));
  const base = of({});
  assert.deepEqual([base.principal, base.session], ["alice", recorded.session.id]);
  for (const other of [of({ name: "person" }), of({ arguments: { q: "a" } }), of({ method: "prompts/get" })])
    assert.notDeepEqual(other, base);
  assert.notDeepEqual(of({}, sessionOf("bob")), base);
  const again = of({ requestId: 2, input: { responses: {}, state: "s" } });
  assert.deepEqual(again, base);
});

test("a changed, foreign or malformed state opens nothing", () => {
  const states = new RequestStates(() => 0);
  const sealed = Buffer.from(states.seal(context, waitingFor("state")), "base64url");
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => states.open(context, changed.toString("base64url")), INVALID);
  }
  const foreign = new RequestStates(() => 0).seal(context, waitingFor("state"));
  for (const state of ["", "a", "=", foreign, `${sealed.toString("base64url")}=`])
    assert.throws(() => states.open(context, state), INVALID);
});

test("a state is no larger than what an agent may send back", () => {
  const states = new RequestStates(() => 0);
  assert.throws(() => states.seal(context, waitingFor("x".repeat(65_536))), {
    code: "RESPONSE_SIZE_EXCEEDED",
    detail: { sent: 1 },
  });
  const most = states.seal(context, waitingFor("x".repeat(49_000)));
  assert.equal(states.open(context, most).serverState?.length, 49_000);
});

test("a state expires with time, with its session, and when many newer ones wait", () => {
  let now = 0;
  const states = new RequestStates(() => now);
  const [closed, busy] = [
    { ...context, session: "closed" },
    { ...context, session: "busy" },
  ];
  const [late, timely, ended, displaced] = [
    states.seal(context, waitingFor("late")),
    states.seal(context, waitingFor("timely")),
    states.seal(closed, waitingFor(null)),
    states.seal(busy, waitingFor(null)),
  ];
  for (let more = 0; more < 64; more += 1) states.seal(busy, waitingFor(null));
  assert.throws(() => states.open(busy, displaced), INVALID);
  states.forget("closed");
  assert.throws(() => states.open(closed, ended), INVALID);
  now = 900_000;
  assert.equal(states.open(context, timely).serverState, "timely");
  now = 900_001;
  assert.throws(() => states.open(context, late), INVALID);
});
