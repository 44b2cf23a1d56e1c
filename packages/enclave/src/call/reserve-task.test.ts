import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientCapabilities } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor } from "../testing/calls.ts";
import { reserveTask } from "./reserve-task.ts";
import { Tasks } from "./tasks.ts";

const permit = permitFor(targetOf(callCatalog(), requestFor()));
const understands = readClientCapabilities({ extensions: { "io.modelcontextprotocol/tasks": {} } });
const large = { q: "x".repeat(65_536) };

test("room is reserved for a call that may become a task", () => {
  for (const [request, capabilities] of [
    [requestFor({ task: { ttlMs: null } }), {}],
    [requestFor(), understands],
  ] as const) {
    const tasks = new Tasks(() => 0);
    const step = reserveTask(makeCall(request, { tasks }), permit, capabilities, tasks);
    assert.ok(step.kind === "continue" && step.value !== null);
    assert.equal(tasks.size, 1);
    step.value.release();
    assert.equal(tasks.size, 0);
  }
});

test("no room is reserved for an agent without tasks, or for any other method", () => {
  const tasks = new Tasks(() => 0);
  for (const [request, capabilities] of [
    [requestFor(), {}],
    [requestFor({ method: "prompts/get", name: "greeting" }), understands],
    [requestFor({ method: "resources/read", name: "note://all" }), understands],
    [requestFor({ method: "tasks/get", name: "t" }), understands],
  ] as const)
    assert.deepEqual(reserveTask(makeCall(request), permit, capabilities, tasks), { kind: "continue", value: null });
  assert.equal(tasks.size, 0);
});

test("without room, a call that requested a task fails before it is sent, and any other becomes a plain call", () => {
  const tasks = new Tasks(() => 0);
  const asked = reserveTask(makeCall(requestFor({ task: { ttlMs: null }, arguments: large })), permit, {}, tasks);
  assert.ok(asked.kind === "ending" && asked.outcome.kind === "error");
  assert.deepEqual([asked.outcome.code, asked.sent, asked.decision], ["MCP_INVALID_REQUEST", false, "fault"]);
  const left = reserveTask(makeCall(requestFor({ arguments: large })), permit, understands, tasks);
  assert.deepEqual(left, { kind: "continue", value: null });
});

test("an unexpected error is thrown", () => {
  const reserve = (): never => {
    throw new TypeError("a defect");
  };
  assert.throws(() => reserveTask(makeCall(), permit, understands, { reserve }), TypeError);
});
