import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { TaskState } from "@cmcp/mcp";
import { Tasks, type Task } from "./tasks.ts";

const call: Task["call"] = { name: "tool", arguments: { a: 1 }, workflowId: null };
const working: TaskState = {
  taskId: "upstream-1",
  status: "working",
  statusMessage: "words",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
  ttlMs: 1_000,
  pollIntervalMs: null,
};

test("a task is told of by an id of the gateway's, and found in its own session alone", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve("s", call).take(working);
  assert.notEqual(task.id, "upstream-1");
  assert.equal(task.state.taskId, task.id);
  assert.equal(tasks.find("s", task.id), task);
  for (const [session, id] of [
    ["t", task.id],
    ["s", "upstream-1"],
    ["s", `${task.id}x`],
    ["s", ""],
  ] as const)
    assert.equal(tasks.find(session, id), undefined);
  fc.assert(fc.property(fc.string(), (guess) => tasks.find("s", guess) === undefined));
});

test("a call that became no task leaves nothing; one that has keeps its place", () => {
  const tasks = new Tasks(() => 0);
  const place = tasks.reserve("s", call);
  assert.equal(tasks.size, 1);
  assert.deepEqual(tasks.of("s"), [], "a call that has no answer yet is no task");
  place.free();
  assert.equal(tasks.size, 0);
  const kept = tasks.reserve("s", call);
  const { id } = kept.take(working);
  kept.free();
  assert.equal(tasks.find("s", id)?.id, id);
});

test("a task ends with its time, and the gateway keeps none longer than a day", () => {
  let now = 0;
  const tasks = new Tasks(() => now);
  const short = tasks.reserve("s", call).take(working);
  const endless = tasks.reserve("s", call).take({ ...working, taskId: "upstream-2", ttlMs: null });
  assert.equal(endless.state.ttlMs, 86_400_000, "the agent is told how long it is kept");
  now = 1_000;
  assert.deepEqual([tasks.find("s", short.id), tasks.find("s", endless.id)?.id], [undefined, endless.id]);
  tasks.update("s", endless, { ...working, taskId: "upstream-2", ttlMs: 5_000 });
  now = 4_999;
  assert.equal(tasks.find("s", endless.id)?.id, endless.id);
  now = 5_000;
  assert.deepEqual([tasks.find("s", endless.id), tasks.size], [undefined, 0]);
});

test("a task ends with its session", () => {
  const tasks = new Tasks(() => 0);
  const [one, other] = [tasks.reserve("s", call).take(working), tasks.reserve("t", call).take(working)];
  tasks.forget("s");
  assert.deepEqual([tasks.find("s", one.id), tasks.find("t", other.id)?.id, tasks.size], [undefined, other.id, 1]);
});

test("a session has a bound; a task that has ended gives way, and other sessions are not affected", () => {
  const tasks = new Tasks(() => 0);
  const [first] = Array.from({ length: 64 }, () => tasks.reserve("s", call).take(working));
  assert.throws(() => tasks.reserve("s", call), { code: "OVERLOADED" });
  tasks.reserve("t", call);
  assert.ok(first !== undefined);
  tasks.update("s", first, { ...working, status: "completed" });
  tasks.reserve("s", call).take(working);
  assert.deepEqual([tasks.find("s", first.id), tasks.of("s").length], [undefined, 64]);
  for (let session = 0; tasks.size < 1_024; session += 1) tasks.reserve(`more-${session}`, call);
  assert.throws(() => tasks.reserve("new", call), { code: "OVERLOADED" }, "all sessions together have one too");
});

test("arguments are kept up to a bound", () => {
  const tasks = new Tasks(() => 0);
  assert.throws(() => tasks.reserve("s", { ...call, arguments: { a: "x".repeat(65_536) } }), {
    code: "MCP_INVALID_REQUEST",
  });
  assert.equal(tasks.size, 0);
});

test("a list has the tasks of one session as last seen, without the server's words", () => {
  const tasks = new Tasks(() => 0);
  const one = tasks.reserve("s", call).take(working);
  tasks.reserve("t", call).take(working);
  tasks.update("s", one, { ...working, status: "failed" });
  assert.deepEqual(tasks.of("s"), [{ ...working, taskId: one.id, status: "failed", statusMessage: null }]);
});
