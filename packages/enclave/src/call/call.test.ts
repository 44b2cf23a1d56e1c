import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@cmcp/boundary";
import { governedMethod, type AgentRequest } from "@cmcp/mcp";
import * as fc from "fast-check";
import { makeCall, rulesStub, requestFor, sessionOf, taskState } from "../testing/calls.ts";
import { SessionCommitments } from "../record/session-commitments.ts";
import { createCall, workflowOf } from "./call.ts";
import { Tasks } from "./tasks.ts";
import { callerOf } from "../testing/record-room.ts";

/** A session in which every call has the salts of one call, so that equal requests have equal commitments. */
const salts = new SessionCommitments(randomUUID()).ofCall("call");
const recorded = Object.assign(sessionOf(), { commitments: { ofCall: () => salts } });
const terms = { tasks: new Tasks(() => 0), rules: rulesStub(), unnamedWorkflow: () => "default" };
const caller = callerOf("alice");
const hashOf = (request: AgentRequest): string => createCall(recorded, caller, request, terms).requestHash;

const word = fc.string({ maxLength: 3 });
const args = fc
  .dictionary(word, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2, noNullPrototype: true })
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const known = fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true });
const reference = fc.oneof(
  word.map((name) => ({ type: "ref/prompt", name }) as const),
  word.map((uri) => ({ type: "ref/resource", uri }) as const),
);
const argument = fc.record({ name: word, value: word }, { noNullPrototype: true });
const responses = fc.dictionary(word, args, { maxKeys: 2, noNullPrototype: true });
const request = fc
  .record({
    method: fc.constantFrom(
      ...(["tools/call", "prompts/get", "resources/read", "completion/complete", "tasks/update", "tasks/get"] as const),
    ),
    name: word,
    arguments: args,
    completion: fc.record({ reference, argument, known }, { noNullPrototype: true }),
    trace: fc.option(fc.record({ traceparent: word }, { noNullPrototype: true })),
    input: fc.option(fc.record({ responses: fc.option(responses), state: fc.option(word) }, { noNullPrototype: true })),
    task: fc.option(fc.record({ ttlMs: fc.option(fc.nat({ max: 2 })) }, { noNullPrototype: true })),
  })
  .map((rest) => requestFor({ ...rest, completion: rest.method === "completion/complete" ? rest.completion : null }));

/** What leaves of a request, under the agent's ids. */
function leaving(sent: AgentRequest): JsonObject {
  const { method, name, input } = sent;
  return { method, params: governedMethod(method).upstream({ request: sent, taskId: name, input }) };
}

test("property: two requests have one hash exactly when the same request is sent", () => {
  fc.assert(
    fc.property(request, request, (one, other) => {
      const same = isDeepStrictEqual(leaving(one), leaving(other));
      assert.equal(hashOf(one) === hashOf(other), same);
    }),
    { numRuns: 500 },
  );
});

test("each difference in arguments, completion, task options, input and trace is a difference of the hash", () => {
  const base = requestFor({ arguments: { q: "a" }, trace: { traceparent: "t" }, task: { ttlMs: 1 } });
  const completes = requestFor({
    method: "completion/complete",
    name: "p",
    completion: {
      reference: { type: "ref/prompt", name: "p" },
      argument: { name: "n", value: "v" },
      known: { k: "1" },
    },
  });
  const { completion } = completes;
  assert.ok(completion !== null);
  const different: readonly AgentRequest[] = [
    base,
    { ...base, arguments: { q: "b" } },
    { ...base, arguments: {} },
    { ...base, name: "other" },
    { ...base, method: "prompts/get", task: null },
    { ...base, trace: null },
    { ...base, trace: { traceparent: "u" } },
    { ...base, task: null },
    { ...base, task: { ttlMs: null } },
    { ...base, task: { ttlMs: 2 } },
    { ...base, input: { responses: {}, state: null } },
    { ...base, input: { responses: { q: {} }, state: null } },
    { ...base, input: { responses: { q: { action: "accept" } }, state: null } },
    { ...base, input: { responses: null, state: "s" } },
    { ...base, input: { responses: null, state: "t" } },
    completes,
    { ...completes, completion: { ...completion, argument: { name: "m", value: "v" } } },
    { ...completes, completion: { ...completion, argument: { name: "n", value: "w" } } },
    { ...completes, completion: { ...completion, known: {} } },
    { ...completes, completion: { ...completion, known: { k: "2" } } },
    { ...completes, completion: { ...completion, reference: { type: "ref/resource", uri: "p" } } },
  ];
  assert.equal(new Set(different.map(hashOf)).size, different.length);
});

test("the hash covers only what is sent, not the caller or the request id", () => {
  const base = requestFor();
  for (const rest of [{ requestId: 2 }, { workflowId: "w" }, { dataClass: "pii" }])
    assert.equal(hashOf({ ...base, ...rest }), hashOf(base), JSON.stringify(rest));
});

test("a request about a task is decided as the call that made the task, in its own session only", () => {
  const tasks = new Tasks(() => 0);
  const made = requestFor({ arguments: { q: "a" }, workflowId: "billing" });
  const { id } = tasks.reserve(recorded.session, made).commit(taskState());
  const about = requestFor({ method: "tasks/get", name: id, arguments: { q: "b" } });
  const call = makeCall(about, { tasks, recorded });
  assert.equal(call.task?.upstreamId, "theirs");
  assert.deepEqual(
    [call.policyRequest.method, call.policyRequest.name, call.policyRequest.arguments, call.policyRequest.workflowId],
    ["tools/call", "lookup", { q: "a" }, "billing"],
  );
  assert.equal(call.request, about);
  const foreign = makeCall(about, { tasks, recorded: sessionOf() });
  assert.deepEqual([foreign.task, foreign.policyRequest], [null, { ...about, workflowId: "default" }]);
  const tool = makeCall(requestFor({ name: id }), { tasks, recorded });
  assert.equal(tool.task, null, "a tool that has a task's id for a name is no task");
});

test("a request that names no workflow has its caller's, and stays without one where the caller must name it", () => {
  const workflow = (named: string | null, unnamed: string | null): string | null => {
    const ports = { tasks: new Tasks(() => 0), rules: rulesStub(), unnamedWorkflow: () => unnamed };
    return createCall(recorded, callerOf("alice"), requestFor({ workflowId: named }), ports).policyRequest.workflowId;
  };
  assert.deepEqual([workflow(null, "billing"), workflow(null, null), workflow("w", "billing")], ["billing", null, "w"]);
  assert.deepEqual([workflowOf({ workflowId: null }), workflowOf({ workflowId: "w" })], ["default", "w"]);
});

test("a task's call keeps the workflow it was made under", () => {
  const tasks = new Tasks(() => 0);
  const ports = { tasks, rules: rulesStub(), unnamedWorkflow: () => "billing" };
  const { request } = createCall(recorded, callerOf("alice"), requestFor(), ports);
  const { id } = tasks.reserve(recorded.session, request).commit(taskState());
  const about = createCall(recorded, callerOf("alice"), requestFor({ method: "tasks/get", name: id }), {
    ...ports,
    unnamedWorkflow: () => "default",
  });
  assert.equal(about.policyRequest.workflowId, "billing");
});

test("a cancellation has no workflow and no data class, as nothing would check them", () => {
  for (const method of ["tasks/cancel", "resources/unsubscribe"] as const) {
    const { request, policyRequest } = makeCall(requestFor({ method, workflowId: "other", dataClass: "none" }));
    assert.deepEqual(
      [request.workflowId, request.dataClass, workflowOf(policyRequest)],
      [null, null, "default"],
      method,
    );
  }
  const { request } = makeCall(requestFor({ workflowId: "other", dataClass: "pii" }));
  assert.deepEqual([request.workflowId, request.dataClass], ["other", "pii"]);
});
