import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import { lookupCatalog } from "../testing/lookup.ts";
import { outgoing } from "./outgoing.ts";
import type { Task } from "./tasks.ts";

const { tool } = lookupCatalog();
const subject = { kind: "tool", tool } as const;
const request: AgentRequest = {
  method: "tools/call",
  name: "lookup",
  arguments: { a: 1 },
  completion: null,
  trace: null,
  workflowId: null,
  dataClass: null,
  requestId: 1,
  input: null,
  task: null,
};

test("a call goes out as decided, with its schema for the headers that repeat arguments", () => {
  assert.deepEqual(outgoing(request, null, subject, null), {
    method: "tools/call",
    params: { name: "lookup", arguments: { a: 1 } },
    inputSchema: tool.inputSchema,
  });
});

test("trace context goes with it, and nothing else of the agent's metadata is there to go", () => {
  const trace = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
  assert.deepEqual(outgoing({ ...request, trace }, null, subject, null).params._meta, trace);
  assert.equal(outgoing({ ...request, method: "tasks/cancel", trace }, null, subject, null).params._meta, undefined);
});

test("a wish for a task goes with the time it is wished for, and what is asked of a task by the server's id", () => {
  assert.deepEqual(outgoing({ ...request, task: { ttlMs: null } }, null, subject, null).params.task, {});
  assert.deepEqual(outgoing({ ...request, task: { ttlMs: 5 } }, null, subject, null).params.task, { ttl: 5 });
  const task = { id: "agent's", upstreamId: "server's" } as Task;
  assert.deepEqual(outgoing({ ...request, method: "tasks/get", name: "agent's" }, task, subject, null), {
    method: "tasks/get",
    params: { taskId: "server's" },
  });
  assert.deepEqual(
    outgoing({ ...request, method: "tasks/update", name: "agent's" }, task, subject, {
      responses: { a: {} },
      state: null,
    }).params,
    { taskId: "server's", inputResponses: { a: {} } },
  );
});
