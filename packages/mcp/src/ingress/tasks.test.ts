import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { Outcome, TaskEnding, TaskState } from "../index.ts";
import { TestGateway } from "../testing/gateway.ts";
import { modernRequest } from "../testing/modern-request.ts";
import { webEndpoint, type WebEndpoint } from "../testing/web-endpoint.ts";

const alice = { principalId: "alice" };
const TASKS = "io.modelcontextprotocol/tasks";
const DECLARED = { "io.modelcontextprotocol/clientCapabilities": { extensions: { [TASKS]: {} } } };
const state: TaskState = {
  taskId: "t-1",
  status: "working",
  statusMessage: "going",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
  ttlMs: 60_000,
  pollIntervalMs: 500,
};
const legacyState = {
  taskId: "t-1",
  status: "working",
  statusMessage: "going",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
  ttl: 60_000,
  pollInterval: 500,
};
const modernState = {
  taskId: "t-1",
  status: "working",
  statusMessage: "going",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:00Z",
  ttlMs: 60_000,
  pollIntervalMs: 500,
};
const asTask = (ending: TaskEnding = {}): Outcome => ({
  kind: "task",
  task: state,
  ending,
});

interface Body {
  readonly result?: JsonObject;
  readonly error?: { readonly code: number; readonly data: JsonObject };
}

/** A legacy session of that version. */
async function session(
  endpoint: WebEndpoint,
  protocolVersion = "2025-11-25",
  capabilities: JsonObject = {},
): Promise<(method: string, params?: JsonObject) => Promise<Body>> {
  const post = (message: JsonObject, headers: Record<string, string>): Promise<Response> =>
    endpoint(
      new Request("http://gateway/mcp", {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
      }),
      alice,
    );
  const opened = await post(
    { method: "initialize", params: { protocolVersion, capabilities, clientInfo: { name: "agent", version: "1" } } },
    {},
  );
  const handle = opened.headers.get("mcp-session-id") ?? "";
  return async (method, params = {}) =>
    (await (await post({ method, params }, { "mcp-session-id": handle })).json()) as Body;
}

async function modern(
  endpoint: WebEndpoint,
  method: string,
  params: JsonObject,
  meta: JsonObject = DECLARED,
): Promise<Body & { readonly status: number }> {
  const response = await endpoint(modernRequest(method, { params, meta }), alice);
  return { status: response.status, ...((await response.json()) as Body) };
}

function start(): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway) };
}

test("a legacy agent makes a task of a call and asks about it in its era's words", async () => {
  const { gateway, endpoint } = start();
  gateway.reply = () => asTask();
  const ask = await session(endpoint);
  assert.deepEqual((await ask("tools/call", { name: "tool", task: { ttl: 60_000 } })).result, {
    task: legacyState,
  });
  assert.deepEqual(gateway.calls[0]?.call.task, { ttlMs: 60_000 });
  assert.deepEqual((await ask("tasks/get", { taskId: "t-1" })).result, legacyState);
  assert.deepEqual((await ask("tasks/cancel", { taskId: "t-1" })).result, legacyState);
  gateway.reply = () => ({ kind: "result", result: { content: [], structuredContent: [1] } });
  assert.deepEqual((await ask("tasks/result", { taskId: "t-1" })).result, { content: [{ type: "text", text: "[1]" }] });
  assert.deepEqual(
    gateway.calls.slice(1).map(({ call }) => [call.method, call.name]),
    [
      ["tasks/get", "t-1"],
      ["tasks/cancel", "t-1"],
      ["tasks/result", "t-1"],
    ],
  );
});

test("a legacy agent lists its session's tasks, all on one page, and sees which tools can be tasks", async () => {
  const { gateway, endpoint } = start();
  gateway.held = [state];
  gateway.tools = [
    { name: "slow", inputSchema: { type: "object" } },
    { name: "quick", inputSchema: { type: "object" } },
  ];
  gateway.support = new Map([["slow", "required"]]);
  const ask = await session(endpoint);
  assert.deepEqual((await ask("tasks/list")).result, { tasks: [legacyState] });
  assert.equal((await ask("tasks/list", { cursor: "2" })).error?.code, -32602);
  assert.deepEqual((await ask("tools/list")).result?.tools, [
    { name: "slow", inputSchema: { type: "object" }, execution: { taskSupport: "required" } },
    { name: "quick", inputSchema: { type: "object" } },
  ]);
});

test("only the version that has tasks takes them", async () => {
  const { gateway, endpoint } = start();
  gateway.tools = [{ name: "slow", inputSchema: { type: "object" } }];
  gateway.support = new Map([["slow", "required"]]);
  const ask = await session(endpoint, "2025-06-18");
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel", "tasks/list"])
    assert.equal((await ask(method, { taskId: "t-1" })).error?.code, -32601, method);
  assert.equal((await ask("tools/call", { name: "tool", task: {} })).error?.code, -32602);
  assert.deepEqual((await ask("tools/list")).result?.tools, [{ name: "slow", inputSchema: { type: "object" } }]);
  assert.equal(gateway.calls.length, 0);
});

test("a wish for a task is read strictly", async () => {
  const { gateway, endpoint } = start();
  const ask = await session(endpoint);
  for (const task of [{ ttl: -1 }, { ttl: 0.5 }, { ttl: "1" }, { other: 1 }, [], "yes"])
    assert.equal((await ask("tools/call", { name: "tool", task })).error?.code, -32602, JSON.stringify(task));
  for (const params of [{}, { taskId: "" }, { taskId: 1 }, { taskId: "t", other: 1 }])
    assert.equal((await ask("tasks/get", params)).error?.code, -32602, JSON.stringify(params));
  assert.equal(gateway.calls.length, 0);
});

test("servers do not hear from a legacy agent of tasks it would run, nor of the modern era's", async () => {
  const { gateway, endpoint } = start();
  const seen: JsonObject[] = [];
  gateway.reply = (_, __, ___, peer) => {
    seen.push(peer.capabilities);
    return { kind: "result", result: { content: [] } };
  };
  const ask = await session(endpoint, "2025-11-25", {
    sampling: {},
    tasks: { requests: { sampling: { createMessage: {} } } },
    extensions: { [TASKS]: {}, "com.example/x": {} },
  });
  await ask("tools/call", { name: "tool" });
  assert.deepEqual(seen, [{ sampling: {} }]);
});

test("a modern agent's call may become a task, which it asks about, gives input to and cancels", async () => {
  const { gateway, endpoint } = start();
  gateway.reply = () => asTask();
  const called = await modern(endpoint, "tools/call", { name: "tool" });
  assert.deepEqual([called.result?.resultType, called.result?.taskId, called.result?.ttlMs], ["task", "t-1", 60_000]);
  gateway.reply = () => asTask({ inputRequests: { a: { method: "elicitation/create" } } });
  const got = await modern(endpoint, "tasks/get", { taskId: "t-1" });
  const { _meta: _, ...told } = got.result ?? {};
  assert.deepEqual(told, {
    ...modernState,
    inputRequests: { a: { method: "elicitation/create" } },
    resultType: "complete",
  });
  const cancelled = await modern(endpoint, "tasks/cancel", { taskId: "t-1" });
  assert.deepEqual(
    Object.keys(cancelled.result ?? {}).toSorted(),
    ["_meta", "resultType"],
    "an acknowledgement and no more",
  );
  gateway.reply = () => ({ kind: "result", result: {} });
  await modern(endpoint, "tasks/update", { taskId: "t-1", inputResponses: { a: { action: "accept" } } });
  assert.deepEqual(gateway.calls.at(-1)?.call.input, { responses: { a: { action: "accept" } }, state: null });
});

test("a modern agent that does not declare the extension is told which capability is missing", async () => {
  const { gateway, endpoint } = start();
  const requests: [string, JsonObject][] = [
    ["tasks/get", { taskId: "t" }],
    ["tasks/cancel", { taskId: "t" }],
    ["tasks/update", { taskId: "t", inputResponses: {} }],
    ["subscriptions/listen", { notifications: { taskIds: ["t"] } }],
  ];
  for (const [method, params] of requests) {
    const { status, error } = await modern(endpoint, method, params, {});
    assert.deepEqual(
      [status, error?.code, error?.data.requiredCapabilities],
      [400, -32021, { extensions: { [TASKS]: {} } }],
      method,
    );
  }
  assert.equal(gateway.calls.length, 0);
});

test("the header names the task (Tasks extension, Routing Headers); a call cannot ask for one in the modern era", async () => {
  const { gateway, endpoint } = start();
  for (const headers of [{ "mcp-name": "other" }, { "mcp-name": null }]) {
    const response = await endpoint(
      modernRequest("tasks/get", { params: { taskId: "t-1" }, meta: DECLARED, headers }),
      alice,
    );
    assert.equal(((await response.json()) as Body).error?.code, -32020);
  }
  assert.equal((await modern(endpoint, "tools/call", { name: "tool", task: {} })).error?.code, -32602);
  assert.equal(gateway.calls.length, 0);
});

test("an unknown task is invalid parameters, and a tool that cannot be a task an unknown method, in both eras", async () => {
  const { gateway, endpoint } = start();
  const ask = await session(endpoint);
  for (const [code, rpc, status] of [
    ["TASK_UNKNOWN", -32602, 400],
    ["TASK_NOT_SUPPORTED", -32601, 404],
  ] as const) {
    gateway.reply = () => ({ kind: "error", code, message: "no", data: { error_code: code } });
    assert.equal((await ask("tasks/get", { taskId: "guess" })).error?.code, rpc);
    const inModern = await modern(endpoint, "tasks/get", { taskId: "guess" });
    assert.deepEqual([inModern.status, inModern.error?.code], [status, rpc]);
  }
});
