import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { inspectQuestionAnswer } from "../index.ts";
import { FORM, SAMPLING, URL_MODE } from "../testing/messages.ts";

test("an answer to a form holds the fields that were asked for, each as it was asked for", () => {
  const answered = (content: JsonObject, more: JsonObject = {}): ReturnType<typeof inspectQuestionAnswer> =>
    inspectQuestionAnswer("elicitation/create", FORM, { action: "accept", content, ...more });
  const content = {
    name: "ann",
    mail: "a@b.example",
    colour: "red",
    size: "s",
    age: 3,
    weight: 2.5,
    member: true,
    tags: ["a"],
    kinds: ["k"],
  };
  assert.deepEqual(answered(content, { _meta: { secret: 1 }, note: "x" }), {
    ok: true,
    value: { action: "accept", content },
  });
  for (const wrong of [
    {},
    { name: "ann", other: 1 },
    { name: "a" },
    { name: "annabel" },
    { name: "ann", mail: "none" },
    { name: "ann", colour: "green" },
    { name: "ann", size: "x" },
    { name: "ann", age: 1.5 },
    { name: "ann", age: 200 },
    { name: "ann", weight: "2" },
    { name: "ann", member: "yes" },
    { name: "ann", tags: ["a", "b", "c"] },
    { name: "ann", tags: ["a", "a"] },
    { name: "ann", tags: ["x"] },
    { name: "ann", kinds: [{ const: "k" }] },
    { name: { ssn: 1 } },
    { constructor: "x", name: "ann" },
  ]) {
    const checked = answered(wrong);
    assert.equal(checked.ok, false, JSON.stringify(wrong));
    assert.equal(JSON.stringify(checked).includes("ann"), false);
  }
  for (const action of ["decline", "cancel"])
    assert.deepEqual(inspectQuestionAnswer("elicitation/create", FORM, { action, content: { secret: 1 } }), {
      ok: true,
      value: { action },
    });
  assert.deepEqual(
    inspectQuestionAnswer("elicitation/create", URL_MODE, { action: "accept", content: { secret: 1 } }),
    {
      ok: true,
      value: { action: "accept" },
    },
  );
  for (const answer of [{}, { action: "maybe" }, { action: "accept" }, [], "accept", null])
    assert.equal(inspectQuestionAnswer("elicitation/create", FORM, answer).ok, false);
});

test("an answer of sampling or roots is rebuilt, and one to no question of the protocol is none", () => {
  const sampled = { role: "assistant", content: { type: "text", text: "x" }, model: "m", stopReason: "endTurn" };
  assert.deepEqual(inspectQuestionAnswer("sampling/createMessage", SAMPLING, { ...sampled, _meta: {}, secret: 1 }), {
    ok: true,
    value: sampled,
  });
  const roots = { roots: [{ uri: "file:///a", name: "a" }] };
  assert.deepEqual(
    inspectQuestionAnswer("roots/list", {}, { roots: [{ ...roots.roots[0], _meta: {}, secret: 1 }], secret: 1 }),
    {
      ok: true,
      value: roots,
    },
  );
  for (const [method, answer] of [
    ["sampling/createMessage", { ...sampled, content: { type: "video" } }],
    ["sampling/createMessage", { role: "assistant", content: { type: "text", text: "x" } }],
    ["sampling/createMessage", roots],
    ["roots/list", { roots: [{ uri: "https://a.example/" }] }],
    ["roots/list", sampled],
    ["tools/call", {}],
    ["toString", {}],
  ] as const)
    assert.equal(inspectQuestionAnswer(method, {}, answer as JsonObject).ok, false, method);
});
