import assert from "node:assert/strict";
import { test } from "node:test";
import { asRequests, asksNothing, methodsOf, type AskedQuestions } from "./asked.ts";

const ASKED: AskedQuestions = {
  a: { method: "roots/list", params: {} },
  b: { method: "roots/list", params: {} },
  c: { method: "elicitation/create", params: { message: "?" } },
};

test("questions are told by their ids, each as it was put", () => {
  assert.deepEqual(asRequests(ASKED), ASKED);
  assert.deepEqual(asRequests({}), {});
});

test("their methods are decided once each", () => {
  assert.deepEqual([...methodsOf(ASKED)], ["roots/list", "elicitation/create"]);
  assert.deepEqual([asksNothing({}), asksNothing(ASKED)], [true, false]);
});
