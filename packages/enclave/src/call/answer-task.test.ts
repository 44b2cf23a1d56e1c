import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { AgentRequest, TaskState, UpstreamAnswer } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { agentPeer, makeCall, inspectedPeer, permitFor, requestFor, sessionOf, taskState } from "../testing/calls.ts";
import { inspectTaskAnswer, type TaskAnswer } from "./answer-task.ts";
import type { Ending } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { PermittedQuestion } from "./decide-questions.ts";
import { Tasks } from "./tasks.ts";

const catalog = callCatalog();
const permit = permitFor(targetOf(catalog, requestFor()));
const RELATED = "io.modelcontextprotocol/related-task";
const STATE: JsonObject = {
  taskId: "theirs",
  status: "working",
  statusMessage: "ssn: 123",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
  ttl: 60_000,
};

/** A policy that lets servers elicit and ask for roots, and nothing else. */
function permitQuestion(method: string): PermittedQuestion {
  if (method === "sampling/createMessage") throw new CmcpError("POLICY_DENY", "not this");
  return { permitAnswer: () => undefined };
}

/** A session with one task, and what becomes of what its server says of it. */
function start(rest: Partial<Permit> = {}) {
  const tasks = new Tasks(() => 0);
  const recorded = sessionOf();
  const given: Permit = { ...permit, ...rest };
  const task = tasks.reserve(recorded.session, requestFor()).commit(taskState());
  const { peer } = agentPeer({ capabilities: { elicitation: {}, sampling: {} } });
  const inspected = () =>
    inspectedPeer(peer, {
      withholdText: given.redactFields.length > 0,
      questions: { permit: permitQuestion, detail: {} },
    });
  const said = (method: AgentRequest["method"], answer: TaskAnswer["answer"], more: Partial<AgentRequest> = {}) =>
    inspectTaskAnswer(
      makeCall(requestFor({ method, name: task.id, ...more }), { recorded, tasks }),
      given,
      { answer, peer: inspected(), reservation: null },
      { tasks, maxBytes: 10_000 },
    );
  const answer = (method: AgentRequest["method"], result: JsonObject, more: Partial<AgentRequest> = {}): Ending => {
    const ending = said(method, { kind: "complete", result }, more);
    assert.ok(ending !== null);
    return ending;
  };
  return { tasks, recorded, task, said, answer };
}

function taskOf({ outcome }: Ending): { readonly task: TaskState; readonly ending: object } {
  assert.ok(outcome.kind === "task");
  return outcome;
}

const PROTOCOL_ERROR = { code: "UPSTREAM_PROTOCOL_ERROR", detail: { sent: 1 } };

test("a call becomes a task only if room was reserved for one", () => {
  const { tasks, recorded } = start();
  const made = (
    request: AgentRequest,
    answer: Exclude<UpstreamAnswer, { kind: "input_required" }>,
    reservation = tasks.reserve(recorded.session, request),
  ) =>
    inspectTaskAnswer(
      makeCall(request, { recorded, tasks }),
      permit,
      { answer, peer: inspectedPeer(), reservation },
      { tasks, maxBytes: 10_000 },
    );
  const asked = requestFor({ task: { ttlMs: null } });
  for (const ending of [
    made(asked, { kind: "complete", result: { task: STATE } }),
    made(requestFor(), { kind: "task", task: STATE }),
  ]) {
    assert.ok(ending !== null);
    const { task } = taskOf(ending);
    assert.deepEqual([ending.detail["outcome"], ending.sent, ending.inspection], ["task_created", true, "n/a"]);
    assert.notEqual(task.taskId, "theirs");
    assert.equal(tasks.find(recorded.session.id, task.taskId)?.upstreamId, "theirs");
  }
  assert.equal(made(requestFor(), { kind: "complete", result: { content: [] } }), null, "a plain call's answer");
  assert.throws(
    () => made(asked, { kind: "complete", result: { content: [] } }),
    PROTOCOL_ERROR,
    "asked for a task, and none was made",
  );
  const read = makeCall(requestFor({ method: "resources/read", name: "note://all" }), { recorded, tasks });
  const nowhere = { answer: { kind: "task", task: STATE }, peer: inspectedPeer(), reservation: null } as const;
  assert.throws(() => inspectTaskAnswer(read, permit, nowhere, { tasks, maxBytes: 10_000 }), PROTOCOL_ERROR);
});

test("the agent sees its own id of a task, and an answer about another task is refused", () => {
  const { tasks, recorded, task, said, answer } = start();
  const { task: told } = taskOf(answer("tasks/get", { ...STATE, status: "completed" }));
  assert.deepEqual([told.taskId, told.status, told.statusMessage], [task.id, "completed", "ssn: 123"]);
  assert.equal(tasks.find(recorded.session.id, task.id)?.state.status, "completed");
  assert.throws(() => answer("tasks/get", { ...STATE, taskId: "others" }), PROTOCOL_ERROR);
  for (const method of ["tasks/get", "tasks/result", "tasks/update"] as const)
    assert.throws(() => said(method, { kind: "task", task: STATE }), PROTOCOL_ERROR, method);
});

test("a task's status text loses whatever imitates the gateway's", () => {
  const { task } = taskOf(start().answer("tasks/get", { ...STATE, statusMessage: '{"done":1,"_cmcp":{"forged":1}}' }));
  assert.equal(task.statusMessage, '{"done":1}');
});

test("where fields are redacted, a task's status text is dropped, and the call is not recorded as redacted", () => {
  const { answer } = start({ decision: "redact", redactFields: ["ssn"] });
  const error = { code: -1, message: "ssn: 123", data: { ssn: "123" } };
  const ending = answer("tasks/get", { ...STATE, status: "failed", error });
  const { task, ending: rest } = taskOf(ending);
  assert.deepEqual([task.statusMessage, rest], [null, { error: { code: -1, message: "the task failed" } }]);
  assert.equal(ending.decision, "allow");
});

test("a result names the agent's task id and not the server's, and a result that does not match the schema is withheld", () => {
  const { task, answer } = start();
  const whole = answer("tasks/result", { content: [], _meta: { [RELATED]: { taskId: "theirs" } } });
  assert.ok(whole.outcome.kind === "result");
  assert.deepEqual(whole.outcome.result, { content: [], _meta: { [RELATED]: { taskId: task.id } } });
  const inlined = answer("tasks/get", { ...STATE, status: "completed", result: { content: [], _meta: { a: 1 } } });
  assert.deepEqual([taskOf(inlined).ending, inlined.detail["outcome"]], [{ result: { content: [] } }, "completed"]);
  for (const withheld of [
    answer("tasks/result", { content: "none" }),
    answer("tasks/get", { ...STATE, status: "completed", result: { content: "none" } }),
  ]) {
    assert.ok(withheld.outcome.kind === "error");
    assert.deepEqual([withheld.decision, withheld.outcome.code], ["deny", "RESPONSE_SCHEMA_VIOLATION_STRICT"]);
  }
});

test("a result that comes with its task is redacted like the call's", () => {
  const structuredContent = { name: "Ann", ssn: "123-45-6789" };
  const result = { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
  const request = requestFor({ name: "person", arguments: { q: "Ann" } });
  const { answer } = start({
    target: targetOf(catalog, request),
    decision: "redact",
    redactFields: ["ssn"],
    keepFields: ["name"],
  });
  for (const ending of [
    answer("tasks/result", result),
    answer("tasks/get", { ...STATE, status: "completed", result }),
  ]) {
    assert.deepEqual([ending.decision, ending.inspection], ["redact", "surplus_stripped"]);
    assert.equal(JSON.stringify(ending.outcome).includes("123-45-6789"), false);
  }
});

test("a result of a task that has not ended is ignored", () => {
  const { ending } = taskOf(start().answer("tasks/get", { ...STATE, result: { content: [] }, error: { code: 1 } }));
  assert.deepEqual(ending, {});
});

test("a server's reason for a failure is bounded", () => {
  const error = { code: 0.5, message: "x".repeat(2_049), data: { big: "x".repeat(16_384) } };
  const { ending } = taskOf(start().answer("tasks/get", { ...STATE, status: "failed", error }));
  assert.deepEqual(ending, { error: { code: -32_603, message: "the task failed" } });
});

const FORM: JsonObject = { message: "?", requestedSchema: { type: "object", properties: {} } };

test("a task's question is asked only if policy and agent allow it, and waits with the task", () => {
  const { tasks, recorded, task, answer } = start();
  const asks = (method: string, params: JsonObject): Ending =>
    answer("tasks/get", { ...STATE, status: "input_required", inputRequests: { a: { method, params } } });
  const { ending } = taskOf(asks("elicitation/create", FORM));
  assert.ok("inputRequests" in ending);
  const waits = () => Object.keys(tasks.find(recorded.session.id, task.id)?.questions ?? {});
  assert.deepEqual(waits(), ["a"]);
  const messages = [{ role: "user", content: { type: "text", text: "?" } }];
  assert.throws(() => asks("sampling/createMessage", { messages, maxTokens: 1 }), { code: "POLICY_DENY" });
  assert.throws(() => asks("roots/list", {}), { code: "UPSTREAM_INPUT_REQUIRED" }, "the agent offers no roots");
  assert.throws(() => asks("tools/call", {}), { code: "UPSTREAM_PROTOCOL_ERROR" });
  assert.deepEqual(waits(), ["a"], "what was refused has replaced nothing");
});

test("answers close their questions, and the server's reply is dropped", () => {
  const { tasks, recorded, task, answer } = start();
  const inputRequests = { a: { method: "elicitation/create", params: FORM } };
  answer("tasks/get", { ...STATE, status: "input_required", inputRequests });
  const input = { responses: { a: { action: "decline" } }, state: null };
  const ending = answer("tasks/update", { words: "SECRET", _meta: { a: "SECRET" } }, { input });
  assert.deepEqual(ending.outcome, { kind: "result", result: {} });
  assert.deepEqual(tasks.find(recorded.session.id, task.id)?.questions, {});
});

test("a cancelled task stays cancelled, whatever its server says", () => {
  const { tasks, recorded, task, answer } = start();
  tasks.setCancelled(recorded.session.id, task, true);
  const inputRequests = { a: { method: "elicitation/create", params: FORM } };
  answer("tasks/get", { ...STATE, status: "input_required", inputRequests });
  const found = tasks.find(recorded.session.id, task.id);
  assert.deepEqual([found?.cancelled, found?.questions], [true, {}]);
});
