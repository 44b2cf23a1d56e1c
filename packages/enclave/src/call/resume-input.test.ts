import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor, sessionOf, taskState } from "../testing/calls.ts";
import type { PendingQuestions } from "./pending-questions.ts";
import type { Call } from "./call.ts";
import type { Refusal } from "./ending.ts";
import { RequestStates, stateContext } from "./request-state.ts";
import type { Question } from "./policy-facts.ts";
import { resumeInput } from "./resume-input.ts";
import { Tasks } from "./tasks.ts";

const permit = permitFor(targetOf(callCatalog(), requestFor()));
const form: JsonObject = {
  message: "Which year?",
  requestedSchema: { type: "object", properties: { year: { type: "integer" } }, required: ["year"] },
};
const ASKED: PendingQuestions = {
  year: { method: "elicitation/create", params: form },
  roots: { method: "roots/list", params: {} },
};
const YEAR: JsonObject = { action: "accept", content: { year: 2026 } };
const ROOTS: JsonObject = { roots: [{ uri: "file:///a" }] };

/** Policy that stops answers to what was asked by these methods, and what it was asked about. */
function questionsWithout(...forbidden: string[]) {
  const judged: string[][] = [];
  const refusalOfAnswers = (answered: Iterable<Question>): Refusal | null => {
    const asked = Array.from(answered, ({ method }) => method);
    judged.push(asked);
    return asked.some((method) => forbidden.includes(method))
      ? { rule: "no", code: "POLICY_DENY", message: "no" }
      : null;
  };
  return { judged, refusalOfAnswers };
}

const states = new RequestStates(() => 0);
const recorded = sessionOf();

/** What becomes of answers to the questions that a state was sealed with. */
function resumed(
  responses: NonNullable<AgentRequest["input"]>["responses"],
  questions = ASKED,
  ...forbidden: string[]
) {
  const state = states.seal(stateContext(makeCall(requestFor(), { recorded })), { serverState: "theirs", questions });
  const call = makeCall(requestFor({ input: { responses, state } }), { recorded });
  return outcomeOf(call, questionsWithout(...forbidden));
}

/** The input that goes to the server, or the rule and code of the refusal. */
function outcomeOf(call: Call, questions: ReturnType<typeof questionsWithout>): unknown {
  const step = resumeInput(call, permit, states, questions);
  if (step.kind === "continue") {
    if (step.value === null) return null;
    const { answers, ...input } = step.value;
    assert.deepEqual(
      Object.fromEntries(Object.entries(answers).map(([id, { answer }]) => [id, answer])),
      input.responses ?? {},
      "an approver is shown what is sent",
    );
    return input;
  }
  assert.ok(step.outcome.kind === "error" && !step.sent);
  return [step.rule, step.outcome.code];
}

const UNREQUESTED_INPUT = ["input-not-requested", "INPUT_NOT_REQUESTED"];
const allowing = questionsWithout();

test("a first attempt has no input, and policy is asked about none", () => {
  assert.equal(outcomeOf(makeCall(), allowing), null);
  assert.deepEqual(allowing.judged, []);
});

test("answers go out under the ids that were asked, with the server's own state", () => {
  assert.deepEqual(resumed({ year: YEAR, roots: ROOTS }), { responses: { year: YEAR, roots: ROOTS }, state: "theirs" });
  assert.deepEqual(resumed({ year: YEAR }), { responses: { year: YEAR }, state: "theirs" }, "some of them");
  assert.deepEqual(resumed(null), { responses: null, state: "theirs" }, "none of them");
});

test("an answer under an id that nobody asked under goes nowhere, and the server can ask again", () => {
  for (const responses of [{ other: YEAR }, { constructor: YEAR }, { toString: YEAR }, { hasOwnProperty: YEAR }])
    assert.deepEqual(resumed(responses), { responses: {}, state: "theirs" }, JSON.stringify(responses));
  assert.deepEqual(resumed({ year: YEAR, other: ROOTS }), { responses: { year: YEAR }, state: "theirs" });
  assert.deepEqual(resumed({ year: YEAR }, {}), { responses: {}, state: "theirs" }, "the server asked nothing");
});

test("an answer in another form than was asked for refuses all", () => {
  for (const responses of [
    { year: ROOTS },
    { year: ROOTS, roots: ROOTS },
    { roots: YEAR },
    { year: { action: "accept" } },
    { year: { action: "accept", content: { year: "2026" } } },
    { year: { action: "accept", content: { year: 2026, note: "x" } } },
    { roots: { roots: [{ uri: "https://a.example" }] } },
  ] satisfies Record<string, JsonObject>[])
    assert.deepEqual(resumed(responses), UNREQUESTED_INPUT, JSON.stringify(responses));
});

test("what an answer has beside what was asked for does not go out", () => {
  assert.deepEqual(resumed({ year: { action: "decline", content: { year: 1 }, _meta: { a: 1 } } }), {
    responses: { year: { action: "decline" } },
    state: "theirs",
  });
});

test("policy decides by the methods of the questions that are answered", () => {
  assert.deepEqual(resumed({ year: YEAR }, ASKED, "elicitation/create"), ["no", "POLICY_DENY"]);
  assert.deepEqual(resumed({ year: YEAR, roots: ROOTS }, ASKED, "roots/list"), ["no", "POLICY_DENY"]);
  assert.deepEqual(resumed({ year: YEAR }, ASKED, "roots/list"), { responses: { year: YEAR }, state: "theirs" });
});

test("a state that is used up, another request's or none refuses the request", () => {
  const context = stateContext(makeCall(requestFor(), { recorded }));
  const state = states.seal(context, { serverState: "theirs", questions: ASKED });
  const input = { responses: { year: YEAR }, state };
  const INVALID = ["request-state", "REQUEST_STATE_INVALID"];
  const given = (rest: Partial<AgentRequest>, by = recorded): unknown =>
    outcomeOf(makeCall(requestFor({ input, ...rest }), { recorded: by }), allowing);
  assert.deepEqual(given({ arguments: { q: "other" } }), INVALID);
  assert.deepEqual(given({ name: "person" }), INVALID);
  assert.deepEqual(given({ method: "prompts/get" }), INVALID);
  assert.deepEqual(given({}, sessionOf()), INVALID);
  assert.deepEqual(given({}, sessionOf("bob")), INVALID);
  assert.deepEqual(given({ input: { responses: null, state: "AAAA" } }), INVALID);
  assert.deepEqual(given({}), { responses: { year: YEAR }, state: "theirs" });
  assert.deepEqual(given({}), INVALID, "once");
});

test("answers without a state are to no question, and the request is a first attempt", () => {
  for (const responses of [{ year: YEAR }, {}]) {
    const call = makeCall(requestFor({ input: { responses, state: null } }), { recorded });
    assert.equal(outcomeOf(call, allowing), null);
  }
});

const working = taskState({ status: "input_required" });

/** A task whose server asked this, and what becomes of answers to it. */
function taskThatAsked(asked: PendingQuestions) {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(recorded.session, requestFor()).commit(working);
  tasks.update(recorded.session.id, task, working, asked);
  const answer = (responses: Record<string, JsonObject>, ...forbidden: string[]): unknown => {
    const request = requestFor({ method: "tasks/update", name: task.id, input: { responses, state: null } });
    return outcomeOf(makeCall(request, { recorded, tasks }), questionsWithout(...forbidden));
  };
  return { tasks, task, answer };
}

test("a task's answers are to the questions that wait with it", () => {
  const { answer, tasks, task } = taskThatAsked(ASKED);
  assert.deepEqual(answer({ year: YEAR }), { responses: { year: YEAR }, state: null });
  assert.deepEqual(answer({ other: YEAR }), UNREQUESTED_INPUT);
  assert.deepEqual(answer({ year: ROOTS }), UNREQUESTED_INPUT);
  assert.deepEqual(answer({ year: YEAR }, "elicitation/create"), ["no", "POLICY_DENY"]);
  tasks.removeQuestions(recorded.session.id, task, ["year"]);
  assert.deepEqual(answer({ year: YEAR }), UNREQUESTED_INPUT, "it has its answer");
  assert.deepEqual(answer({ roots: ROOTS }), { responses: { roots: ROOTS }, state: null });
});

test("a task that asks nothing, or was given up, takes no answers", () => {
  assert.deepEqual(taskThatAsked({}).answer({}), UNREQUESTED_INPUT);
  assert.deepEqual(taskThatAsked({}).answer({ year: YEAR }), UNREQUESTED_INPUT);
  const { answer, tasks, task } = taskThatAsked(ASKED);
  tasks.setCancelled(recorded.session.id, task, true);
  assert.deepEqual(answer({ year: YEAR }), UNREQUESTED_INPUT);
});
