import assert from "node:assert/strict";
import { test } from "node:test";
import { epochOpening, epochText } from "./epoch-opening.ts";
import { OPERATOR_KEY, signedLostStore } from "./testing/lost-store.ts";

const SIGNED = signedLostStore();
const FIRST = { index: 0, lostStore: undefined, isComplete: true };
const AFTER = { index: 0, lostStore: SIGNED, isComplete: false };

test("the first epoch is opened by nothing, and another by the statement of the one before", () => {
  assert.deepEqual(epochOpening("gateway.example/0", FIRST), { problem: null, opened: null });
  assert.deepEqual(epochOpening("gateway.example/1", AFTER), { problem: null, opened: SIGNED });
});

test("an epoch that its statement does not open has a problem, and no statement", () => {
  for (const [origin, facts, problem] of [
    ["gateway.example/0", { ...FIRST, lostStore: SIGNED }, /follows no lost store/],
    ["gateway.example/1", { ...FIRST, isComplete: false }, /needs an operator's statement/],
    ["gateway.example/2", AFTER, /is not the epoch after it/],
    ["gateway.example", AFTER, /names no epoch/],
    ["gateway.example/1", { ...AFTER, lostStore: null }, /another form/],
    ["gateway.example/1", { ...AFTER, lostStore: { ...SIGNED, more: 1 } }, /another form/],
  ] as const) {
    const opening = epochOpening(origin, facts);
    assert.match(opening.problem ?? "", problem);
    assert.equal(opening.opened, null);
  }
});

test("only the first hand-over behind a lost store has to say that something is missing", () => {
  const opening = epochOpening("gateway.example/1", { ...AFTER, isComplete: true });
  assert.match(opening.problem ?? "", /says that nothing is missing/);
  assert.equal(opening.opened, null);
  for (const later of [
    { ...AFTER, index: 1 },
    { ...AFTER, index: 1, isComplete: true },
  ])
    assert.deepEqual(epochOpening("gateway.example/1", later), { problem: null, opened: SIGNED });
});

test("a reader learns which log was lost, how much of it is known, who says so and why", () => {
  assert.equal(epochText("gateway.example/0", null), "epoch 0, the first of its name");
  assert.equal(epochText("gateway.example", null), "epoch unknown, the first of its name");
  const text = epochText("gateway.example/1", SIGNED);
  assert.match(text, /^epoch 1, opened after gateway\.example\/0 was lost: it had 45 records, root a{64}\. /);
  assert.ok(text.includes(OPERATOR_KEY) && text.endsWith('Reason: "the disk is gone"'));
  assert.match(epochText("gateway.example/1", signedLostStore({ last: "unknown" })), /its last size is unknown\./);
  assert.match(epochText("gateway.example", SIGNED), /^epoch unknown, opened after/);
});

test("a reason stays one line in quotes, whatever it holds", () => {
  const reason = 'a\nb\u2028c\u202ed\u001b[31m"e';
  const text = epochText("gateway.example/1", signedLostStore({ reason }));
  assert.ok(text.endsWith('Reason: "a?b?c?d?[31m\\"e"'), text);
});
