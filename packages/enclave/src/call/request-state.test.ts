import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { RequestStates, type StateContext } from "./request-state.ts";

const context: StateContext = {
  principal: "alice",
  session: "s",
  method: "tools/call",
  params: { name: "tool", arguments: { a: 1 } },
};
const INVALID = { code: "REQUEST_STATE_INVALID" };

test("a state comes back as the server gave it, with what it asked by, once", () => {
  const states = new RequestStates(() => 0);
  fc.assert(
    fc.property(
      fc.record(
        {
          upstream: fc.option(fc.string({ unit: "binary", maxLength: 100 })),
          asked: fc.array(fc.string({ maxLength: 30 }), { maxLength: 3 }),
        },
        { noNullPrototype: true },
      ),
      (waiting) => {
        const sealed = states.seal(context, waiting);
        assert.deepEqual(states.open(context, sealed), waiting);
        assert.throws(() => states.open(context, sealed), INVALID);
      },
    ),
  );
});

test("a state is for one principal, session, method and set of parameters", () => {
  const states = new RequestStates(() => 0);
  const sealed = states.seal(context, { upstream: "state", asked: [] });
  states.seal({ ...context, session: "t" }, { upstream: "another", asked: [] });
  for (const other of [
    { principal: "bob" },
    { session: "t" },
    { method: "prompts/get" },
    { params: { name: "tool", arguments: { a: 2 } } },
  ]) {
    assert.throws(() => states.open({ ...context, ...other }, sealed), INVALID);
  }
  assert.equal(states.open(context, sealed).upstream, "state", "what was refused did not use it up");
});

test("a changed, foreign or malformed state opens nothing", () => {
  const states = new RequestStates(() => 0);
  const sealed = Buffer.from(states.seal(context, { upstream: "state", asked: [] }), "base64url");
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => states.open(context, changed.toString("base64url")), INVALID);
  }
  for (const state of [
    "",
    "a",
    "=",
    new RequestStates(() => 0).seal(context, { upstream: "state", asked: [] }),
    `${sealed.toString("base64url")}=`,
  ])
    assert.throws(() => states.open(context, state), INVALID);
});

test("a state ends with time, with its session, and when many newer ones wait", () => {
  let now = 0;
  const states = new RequestStates(() => now);
  const [late, closed, displaced] = [
    states.seal(context, { upstream: "late", asked: [] }),
    states.seal({ ...context, session: "closed" }, { upstream: null, asked: [] }),
    states.seal({ ...context, session: "busy" }, { upstream: null, asked: [] }),
  ];
  for (let more = 0; more < 64; more += 1) states.seal({ ...context, session: "busy" }, { upstream: null, asked: [] });
  assert.throws(() => states.open({ ...context, session: "busy" }, displaced), INVALID);
  states.forget("closed");
  assert.throws(() => states.open({ ...context, session: "closed" }, closed), INVALID);
  now = 900_001;
  assert.throws(() => states.open(context, late), INVALID);
});
