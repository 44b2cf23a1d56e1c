import assert from "node:assert/strict";
import { test } from "node:test";
import { toInputRequests, hasNoQuestions, methodsOf, type PendingQuestions } from "./pending-questions.ts";

const ASKED: PendingQuestions = {
  a: { method: "roots/list", params: {} },
  b: { method: "roots/list", params: {} },
  c: { method: "elicitation/create", params: { message: "?" } },
};

test("questions reach the agent under their ids, unchanged", () => {
  assert.deepEqual(toInputRequests(ASKED), ASKED);
  assert.deepEqual(toInputRequests({}), {});
});

test("their methods are decided once each", () => {
  assert.deepEqual([...methodsOf(ASKED)], ["roots/list", "elicitation/create"]);
  assert.deepEqual([hasNoQuestions({}), hasNoQuestions(ASKED)], [true, false]);
});
