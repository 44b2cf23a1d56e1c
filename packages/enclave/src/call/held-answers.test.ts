import assert from "node:assert/strict";
import { test } from "node:test";
import type { RpcBody } from "@cmcp/mcp";
import { HeldAnswers, type AnswerHolder } from "./held-answers.ts";

const holder = (rest: Partial<AnswerHolder> = {}): AnswerHolder => ({
  principal: "alice",
  session: "s",
  chain: "c",
  era: "modern",
  ...rest,
});
const answer = (length = 0): RpcBody => ({ result: { text: "x".repeat(length) } });

test("an answer is given again in the session that it was made for, and in no other", () => {
  const held = new HeldAnswers();
  held.hold("key", holder(), answer());
  assert.deepEqual(held.find("key", holder()), answer());
  for (const other of [{ session: "t" }, { chain: "d" }, { era: "legacy" }] as const)
    assert.equal(held.find("key", holder(other)), undefined, JSON.stringify(other));
  held.forget({ id: "t", principalId: "alice" });
  held.forget({ id: "s", principalId: "bob" });
  assert.equal(held.size, 1);
  held.forget({ id: "s", principalId: "alice" });
  assert.deepEqual([held.size, held.find("key", holder())], [0, undefined]);
});

test("an answer that is too large is not held, and the oldest of a principal give way, by number and by length", () => {
  const held = new HeldAnswers();
  held.hold("large", holder(), answer(262_144));
  assert.equal(held.size, 0);
  held.hold("bob", holder({ principal: "bob" }), answer());
  for (let n = 0; n < 65; n += 1) held.hold(`${n}`, holder(), answer());
  assert.deepEqual([held.size, held.find("0", holder()), held.find("1", holder())], [65, undefined, answer()]);
  for (let n = 0; n < 9; n += 1) held.hold(`long ${n}`, holder(), answer(250_000));
  assert.equal(held.find("long 0", holder()), undefined);
  assert.ok(held.find("long 1", holder()) !== undefined && held.find("64", holder()) === undefined);
  assert.deepEqual(held.find("bob", holder({ principal: "bob" })), answer(), "at the principal's own expense");
});

test("in all there is a bound too", () => {
  const held = new HeldAnswers();
  for (let n = 0; n < 1_100; n += 1) held.hold(`${n}`, holder({ principal: `p${n % 100}` }), answer());
  assert.deepEqual([held.size, held.find("75", holder()), held.find("76", holder())], [1_024, undefined, answer()]);
  for (let n = 0; n < 200; n += 1) held.hold(`long ${n}`, holder({ principal: `q${n}` }), answer(250_000));
  assert.ok(held.size <= 134);
});
