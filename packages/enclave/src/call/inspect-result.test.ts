import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { AgentRequest, UpstreamAnswer } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { agentPeer, makeCall, inspectedPeer, permitFor, requestFor, sessionOf, taskState } from "../testing/calls.ts";
import type { Ending } from "./ending.ts";
import { inspectResult } from "./inspect-result.ts";
import type { InspectedPeerOptions } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import { RequestStates, stateContext } from "./request-state.ts";
import { Tasks } from "./tasks.ts";

const catalog = callCatalog();
const states = new RequestStates(() => 0);
const recorded = sessionOf();
const FORM: JsonObject = { message: "Which?", requestedSchema: { type: "object", properties: {} } };

interface Scene {
  readonly rest?: Partial<AgentRequest>;
  readonly permit?: Partial<Permit>;
  readonly terms?: Partial<InspectedPeerOptions>;
}

function inspected(answer: UpstreamAnswer, { rest = {}, permit = {}, terms = {} }: Scene = {}): Ending {
  const request = requestFor(rest);
  const { peer } = agentPeer({ input: "retry", capabilities: { elicitation: {}, roots: {} } });
  const answered = { answer, peer: inspectedPeer(peer, terms), reservation: null };
  const given = permitFor(targetOf(catalog, request), permit);
  return inspectResult(makeCall(request, { recorded }), given, answered, {
    states,
    tasks: new Tasks(() => 0),
    maxBytes: 1_000,
  });
}

function needs(inputRequests: JsonObject | null): UpstreamAnswer {
  return { kind: "input_required", inputRequests, requestState: "theirs" };
}

test("a plain result is inspected and delivered", () => {
  const ending = inspected({ kind: "complete", result: { content: [] } });
  assert.deepEqual([ending.outcome, ending.decision], [{ kind: "result", result: { content: [] } }, "allow"]);
});

test("a server's questions reach the agent rebuilt, with a state that is bound to this request", () => {
  const ending = inspected(needs({ a: { method: "elicitation/create", params: FORM, extra: 1 } }));
  assert.ok(ending.outcome.kind === "input");
  const asked = { a: { method: "elicitation/create", params: FORM } };
  assert.deepEqual(ending.outcome.inputRequests, asked);
  assert.notEqual(ending.outcome.requestState, "theirs");
  const context = stateContext(makeCall(requestFor(), { recorded }));
  assert.deepEqual(states.open(context, ending.outcome.requestState), { serverState: "theirs", questions: asked });
  assert.deepEqual([ending.detail["outcome"], ending.sent, ending.inspection], ["input_required", true, "n/a"]);
});

test("a server may require the request again without a question", () => {
  const { outcome } = inspected(needs(null));
  assert.ok(outcome.kind === "input");
  assert.equal(outcome.inputRequests, null);
});

test("a question that is not allowed or malformed ends the call as a fault after sending", () => {
  const refuseQuestion = (): never => {
    throw new CmcpError("POLICY_DENY", "not this", { detail: { sent: 1 } });
  };
  const elicits = { a: { method: "elicitation/create", params: FORM } };
  const messages: JsonObject[] = [{ role: "user", content: { type: "text", text: "?" } }];
  for (const [requests, scene, code] of [
    [elicits, { terms: { questions: { permit: refuseQuestion, detail: {} } } }, "POLICY_DENY"],
    [elicits, { terms: { withholdText: true } }, "POLICY_DENY"],
    [{ a: { method: "sampling/createMessage", params: { messages, maxTokens: 1 } } }, {}, "UPSTREAM_INPUT_REQUIRED"],
    [{ a: { method: "tools/call", params: {} } }, {}, "UPSTREAM_PROTOCOL_ERROR"],
    [{ a: "text" }, {}, "UPSTREAM_PROTOCOL_ERROR"],
  ] as const) {
    const { outcome, decision, sent } = inspected(needs(requests), scene);
    assert.ok(outcome.kind === "error");
    assert.deepEqual([outcome.code, decision, sent], [code, "fault", true]);
  }
});

test("an answer that requires input is not recorded as redacted", () => {
  const terms = { withholdText: true };
  const permit = { decision: "redact", redactFields: ["ssn"] } as const;
  const ending = inspected(needs({ a: { method: "roots/list" } }), { permit, terms });
  assert.deepEqual([ending.outcome.kind, ending.decision], ["input", "allow"]);
});

test("a subscription is acknowledged with the gateway's own result", () => {
  const rest = { method: "resources/subscribe", name: "note://all" } as const;
  const ending = inspected({ kind: "complete", result: { words: "SECRET" } }, { rest });
  assert.deepEqual(ending.outcome, { kind: "result", result: {} });
  assert.deepEqual([ending.detail, ending.inspection], [{ outcome: "subscribed" }, "n/a"]);
});

test("a task that was not requested is a fault after sending", () => {
  const ending = inspected({ kind: "task", task: {} });
  assert.ok(ending.outcome.kind === "error");
  assert.deepEqual([ending.outcome.code, ending.sent], ["UPSTREAM_PROTOCOL_ERROR", true]);
});

test("a task's state reaches the agent as a task, under the agent's id", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(recorded.session, requestFor()).commit(taskState());
  const call = makeCall(requestFor({ method: "tasks/get", name: task.id }), { recorded, tasks });
  const result: JsonObject = {
    taskId: "theirs",
    status: "working",
    createdAt: "2026-01-01T00:00:00Z",
    lastUpdatedAt: "2026-01-01T00:00:00Z",
  };
  const permit = permitFor(targetOf(catalog, requestFor()));
  const answered = { answer: { kind: "complete", result }, peer: inspectedPeer(), reservation: null } as const;
  const { outcome } = inspectResult(call, permit, answered, { states, tasks, maxBytes: 1_000 });
  assert.ok(outcome.kind === "task");
  assert.equal(outcome.task.taskId, task.id);
});
