import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { Vocabulary } from "@cmcp/session";
import { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { lookupCatalog } from "../testing/lookup.ts";
import { givenInput, stateContext } from "./given-input.ts";
import { Questions } from "./questions.ts";
import { RequestStates } from "./request-state.ts";
import type { Task } from "./tasks.ts";

const { catalog, tool } = lookupCatalog();
const caller = new Caller({ principalId: "default", source: "bearer" }, null);
const session = {
  session: {
    id: "s",
    principalId: "default",
    sensitivity: "public",
    maxSensitivity: "public",
    domainsTouched: new Set(),
    callGraph: { events: [] },
    crossBoundaryEvents: [],
    toolsInvoked: new Set(),
  },
} as unknown as RecordedSession;

function asking(input: AgentRequest["input"]): AgentRequest {
  return {
    method: "tools/call",
    name: "lookup",
    arguments: {},
    params: {},
    meta: null,
    workflowId: null,
    dataClass: null,
    requestId: 1,
    input,
    task: null,
  };
}

const ANSWERS: JsonObject = { q: { action: "accept" } };
const ASKED = ["elicitation/create", "sampling/createMessage"] as const;

/** A core whose policy forbids the call itself, or questions of these methods. */
function scene({
  forbidden = [],
  call = true,
  mode = "enforcing",
}: {
  readonly forbidden?: readonly string[];
  readonly call?: boolean;
  readonly mode?: string;
}): { core: Core; questions: Questions } {
  const verdict = (facts: GovernedFacts): Partial<Verdict> => {
    const allowed = "requestMethod" in facts ? !forbidden.includes(facts.requestMethod) : call;
    return allowed
      ? { decision: "allow", rule: "yes", redactFields: [], keepFields: [] }
      : { decision: "deny", cause: "policy", rule: "no", redactFields: [], keepFields: [] };
  };
  const policy = {
    bundle: { hash: "sha256:00" },
    decide: verdict,
    redactionOf: () => ({ redactFields: [], keepFields: [] }),
  };
  const core = {
    policy,
    catalog,
    vocabulary: new Vocabulary(),
    config: { attestation: { enforcement_mode: mode }, enclave: {} },
    principals: { mayUse: () => true },
    requestStates: new RequestStates(() => 0),
  } as unknown as Core;
  return {
    core,
    questions: new Questions(core, session, {
      id: "c",
      caller,
      subject: { kind: "tool", tool },
      decided: asking(null),
    }),
  };
}

function given(
  { core, questions }: ReturnType<typeof scene>,
  upstream: string | null = "theirs",
): ReturnType<typeof givenInput> {
  const state = core.requestStates.seal(stateContext(session, asking(null)), { upstream, asked: ASKED });
  return givenInput(core, session, asking({ responses: ANSWERS, state }), null, questions);
}

test("answers go out with the server's own state while policy lets it ask by every method it asked by", () => {
  assert.deepEqual(given(scene({})), { input: { responses: ANSWERS, state: "theirs" }, refusal: null });
  for (const method of ASKED) {
    const refused = scene({ forbidden: [method] });
    const { input, refusal } = given(refused);
    assert.deepEqual([input, refusal?.rule, refusal?.code], [null, "no", "POLICY_DENY"], method);
    assert.deepEqual(refused.questions.detail, { questions_refused: 1, question_rule: "no" });
  }
  const lenient = scene({ forbidden: [ASKED[1]], mode: "silent" });
  assert.equal(given(lenient).refusal, null);
  assert.deepEqual(lenient.questions.detail, { questions_advisory_deny: 1, question_rule: "no" });
});

test("a task's answers come without a state, and are decided by what the task asked by; any others by all that a server can ask", () => {
  const { core, questions } = scene({ forbidden: [ASKED[0]] });
  const answers = asking({ responses: ANSWERS, state: null });
  const task = (asked: readonly string[]): Task =>
    ({ id: "t", upstreamId: "u", call: answers, asked }) as unknown as Task;
  assert.equal(givenInput(core, session, answers, task([ASKED[0]]), questions).refusal?.code, "POLICY_DENY");
  assert.deepEqual(givenInput(core, session, answers, task([ASKED[1]]), questions).input, {
    responses: ANSWERS,
    state: null,
  });
  assert.equal(givenInput(core, session, answers, null, questions).refusal?.code, "POLICY_DENY");
  const lenient = scene({});
  assert.deepEqual(givenInput(lenient.core, session, answers, null, lenient.questions).input, {
    responses: ANSWERS,
    state: null,
  });
  assert.equal(
    givenInput(core, session, asking({ responses: ANSWERS, state: "AAAA" }), null, questions).refusal?.code,
    "REQUEST_STATE_INVALID",
  );
  assert.deepEqual(givenInput(core, session, asking(null), null, questions), { input: null, refusal: null });
});

test("an answer goes out only while the call itself may, and what is let through is counted once", () => {
  const open = scene({});
  open.questions.put(ASKED[0]).answered();
  assert.deepEqual(open.questions.detail, {});
  const stopped = scene({ call: false });
  const question = stopped.questions.put(ASKED[0]);
  assert.throws(() => question.answered(), { code: "POLICY_DENY" });
  assert.deepEqual(stopped.questions.detail, { questions_refused: 1, question_rule: "no" });
  const lenient = scene({ forbidden: ASKED, mode: "silent" });
  lenient.questions.put(ASKED[0]).answered();
  assert.deepEqual(lenient.questions.detail, { questions_advisory_deny: 1, question_rule: "no" });
  assert.throws(() => scene({ forbidden: ASKED }).questions.put(ASKED[0]), { code: "POLICY_DENY" });
});
