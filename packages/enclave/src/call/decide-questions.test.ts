import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledPolicy, GovernedFacts, Verdict } from "@cmcp/policy";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, deciderOf, policyStub, requestFor } from "../testing/calls.ts";
import type { GatewayFacts } from "./policy-facts.ts";
import { QuestionDecider } from "./decide-questions.ts";

const catalog = callCatalog();
const target = targetOf(catalog, requestFor());
const ASKED = ["elicitation/create", "sampling/createMessage"] as const;
const ANSWERED = ASKED.map((method) => ({ method, answer: {} }));

interface Scene {
  readonly forbidden?: readonly string[];
  readonly mode?: GatewayFacts["enforcementMode"];
  readonly call?: () => Partial<Verdict>;
}

/** Questions under a policy that forbids these methods, or the call itself. */
function scene({ forbidden = [], mode = "enforcing", call = () => ({}) }: Scene = {}) {
  const lines: [string, string][] = [];
  const verdictOf = (facts: GovernedFacts): Partial<Verdict> => {
    const { requestMethod } = facts;
    if (requestMethod === undefined) return call();
    return forbidden.includes(requestMethod) ? { decision: "deny", rule: "no" } : {};
  };
  let policy: CompiledPolicy = policyStub(verdictOf);
  const decider = deciderOf(mode);
  const made = makeCall(requestFor(), { policy });
  const questions = new QuestionDecider(
    { decider, rules: () => ({ policy, catalog }), advisory: (id, code) => void lines.push([id, code]) },
    made,
    target,
  );
  const install = (next: CompiledPolicy): void => {
    policy = next;
  };
  return { questions, lines, install, id: made.id };
}

test("a server may ask what policy allows", () => {
  const { questions } = scene({ forbidden: [ASKED[1]] });
  questions.permit(ASKED[0]).permitAnswer({});
  assert.deepEqual(questions.detail, {});
  assert.throws(() => questions.permit(ASKED[1]), { code: "POLICY_DENY", detail: { sent: 1 } });
  assert.deepEqual(questions.detail, { questions_refused: 1, question_rule: "no" });
});

test("an answer is sent only if policy still allows the call", () => {
  let open = true;
  const { questions } = scene({ call: () => (open ? {} : { decision: "deny", rule: "closed" }) });
  const question = questions.permit(ASKED[0]);
  open = false;
  assert.throws(() => question.permitAnswer({}), { code: "POLICY_DENY" });
  assert.deepEqual(questions.detail, { questions_refused: 1, question_rule: "closed" });
});

test("an answer is decided under the policy in force when it arrives", () => {
  const { questions, install } = scene();
  const question = questions.permit(ASKED[0]);
  install(policyStub((facts) => (facts.requestMethod === undefined ? {} : { decision: "deny", rule: "newer" })));
  assert.throws(() => question.permitAnswer({}), { code: "POLICY_DENY" });
  assert.deepEqual(questions.detail, { questions_refused: 1, question_rule: "newer" });
});

test("answers to several questions are sent only if each is allowed", () => {
  for (const method of ASKED) {
    const { questions } = scene({ forbidden: [method] });
    assert.equal(questions.refusalOfAnswers(ANSWERED)?.code, "POLICY_DENY", method);
    assert.deepEqual(questions.detail, { questions_refused: 1, question_rule: "no" });
  }
  assert.equal(scene().questions.refusalOfAnswers(ANSWERED), null);
});

test("a refusal for an agent names no rule", () => {
  const refusal = scene({ forbidden: ASKED }).questions.refusalOfAnswers(ANSWERED);
  assert.equal(refusal?.message, "policy does not allow these answers to go to the server");
});

test("a question that only the mode lets through is counted once and logged", () => {
  const { questions, lines, id } = scene({ forbidden: ASKED, mode: "silent" });
  questions.permit(ASKED[0]).permitAnswer({});
  assert.deepEqual(questions.detail, { questions_advisory_deny: 1, question_rule: "no" });
  assert.deepEqual(lines, [[id, "POLICY_DENY"]]);
  assert.equal(questions.refusalOfAnswers([{ method: ASKED[1], answer: {} }]), null);
  assert.deepEqual(questions.detail, { questions_advisory_deny: 2, question_rule: "no" });
});

test("no mode lets a question through if the engine failed", () => {
  const { questions, install } = scene({ mode: "advisory" });
  install(policyStub(() => ({ decision: "deny", cause: "fault", rule: "engine-failure" })));
  assert.throws(() => questions.permit(ASKED[0]), { code: "POLICY_DENY" });
});
