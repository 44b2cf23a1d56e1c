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
  params: {},
  meta: null,
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

test("metadata goes with it, without what poses as the gateway's at any depth", () => {
  const meta = {
    traceparent: "00",
    "com.example/a": { _cmcp: 1, kept: 1 },
    _cmcp: {},
    "cmcp.gateway/receipt": {},
    "com.example/receipt": {},
  };
  assert.deepEqual(outgoing({ ...request, meta }, null, subject, null).params._meta, {
    traceparent: "00",
    "com.example/a": { kept: 1 },
  });
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
