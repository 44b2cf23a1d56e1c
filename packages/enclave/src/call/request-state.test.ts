import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { RequestStates, type StateContext } from "./request-state.ts";

const context: StateContext = { principal: "alice", session: "s", method: "tools/call", params: { name: "tool", arguments: { a: 1 } } };
const INVALID = { code: "REQUEST_STATE_INVALID" };

test("a state comes back as the server gave it, once", () => {
  const states = new RequestStates(() => 0);
  fc.assert(
    fc.property(fc.option(fc.string({ unit: "binary", maxLength: 100 })), (upstream) => {
      const sealed = states.seal(context, upstream);
      assert.equal(states.open(context, sealed), upstream);
      assert.throws(() => states.open(context, sealed), INVALID);
    }),
  );
});

test("a state is for one principal, session, method and set of parameters", () => {
  const states = new RequestStates(() => 0);
  const sealed = states.seal(context, "state");
  states.seal({ ...context, session: "t" }, "another");
  for (const other of [{ principal: "bob" }, { session: "t" }, { method: "prompts/get" }, { params: { name: "tool", arguments: { a: 2 } } }]) {
    assert.throws(() => states.open({ ...context, ...other }, sealed), INVALID);
  }
  assert.equal(states.open(context, sealed), "state", "what was refused did not use it up");
});

test("a changed, foreign or malformed state opens nothing", () => {
  const states = new RequestStates(() => 0);
  const sealed = Buffer.from(states.seal(context, "state"), "base64url");
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => states.open(context, changed.toString("base64url")), INVALID);
  }
  for (const state of ["", "a", "=", new RequestStates(() => 0).seal(context, "state"), `${sealed.toString("base64url")}=`]) assert.throws(() => states.open(context, state), INVALID);
});

test("a state ends with time, with its session, and when many newer ones wait", () => {
  let now = 0;
  const states = new RequestStates(() => now);
  const [late, closed, displaced] = [states.seal(context, "late"), states.seal({ ...context, session: "closed" }, null), states.seal({ ...context, session: "busy" }, null)];
  for (let more = 0; more < 64; more += 1) states.seal({ ...context, session: "busy" }, null);
  assert.throws(() => states.open({ ...context, session: "busy" }, displaced), INVALID);
  states.forget("closed");
  assert.throws(() => states.open({ ...context, session: "closed" }, closed), INVALID);
  now = 900_001;
  assert.throws(() => states.open(context, late), INVALID);
});
