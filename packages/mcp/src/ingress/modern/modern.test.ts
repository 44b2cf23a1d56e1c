import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { SUPPORTED_VERSIONS } from "../../index.ts";
import { ENVELOPE, modernRequest } from "../../testing/modern-request.ts";
import {
  alice,
  ask,
  assertRefused,
  bob,
  call,
  INFO,
  INVALID_PARAMS,
  INVALID_REQUEST,
  LOG_LEVEL,
  MISMATCH,
  raw,
  SERVER,
  start,
  type Answer,
} from "../../testing/modern-ingress.ts";

test("server/discover says what is spoken and offered, and by whom", async () => {
  const { endpoint, gateway } = start();
  const { status, headers, body } = await ask(endpoint, modernRequest("server/discover", { id: "probe" }));
  const result = {
    supportedVersions: [...SUPPORTED_VERSIONS],
    capabilities: { tools: {}, extensions: { "io.modelcontextprotocol/tasks": {} } },
    ttlMs: 300_000,
    cacheScope: "private",
    resultType: "complete",
    _meta: SERVER,
  };
  assert.deepEqual([status, body], [200, { jsonrpc: "2.0", id: "probe", result }]);
  assert.deepEqual([headers.get("mcp-session-id"), headers.get("cache-control")], [null, "no-store"]);
  assert.deepEqual([gateway.labelled.size, gateway.open.size], [0, 0]);
});

test("tools are listed as approved, for this caller and for now, without marks that would put arguments into headers", async () => {
  const { endpoint, gateway } = start();
  const marked = {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      deep: { type: "object", properties: { n: { type: "integer", "x-mcp-header": "N" } } },
      "x-mcp-header": { type: "string" },
    },
  };
  gateway.tools = [{ name: "tool", description: "approved", inputSchema: marked, outputSchema: { type: "array" } }];
  const { status, body } = await ask(endpoint, modernRequest("tools/list"));
  const inputSchema = {
    type: "object",
    properties: {
      region: { type: "string" },
      deep: { type: "object", properties: { n: { type: "integer" } } },
      "x-mcp-header": { type: "string" },
    },
  };
  const tools = [{ name: "tool", description: "approved", inputSchema, outputSchema: { type: "array" } }];
  assert.deepEqual(
    [status, body.result],
    [200, { tools, ttlMs: 0, cacheScope: "private", resultType: "complete", _meta: SERVER }],
  );
});

test("a call goes on without its envelope and what was meant for the gateway; its result is complete", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => ({
    kind: "result",
    result: {
      content: [],
      structuredContent: [1],
      resultType: "input_required",
      _meta: { receipt: "r", "io.modelcontextprotocol/serverInfo": { name: "tool server" } },
    },
  });
  const params = { arguments: { a: [1] }, _cmcp: { session_id: "mine", workflow_id: "w", data_class: "pii" } };
  const { status, body } = await ask(
    endpoint,
    call({ id: "id-1", params, meta: { progressToken: 1, trace: "t", [LOG_LEVEL]: "info" } }),
  );
  assert.deepEqual([status, body.id], [200, "id-1"]);
  assert.deepEqual(body.result, {
    content: [],
    structuredContent: [1],
    resultType: "complete",
    _meta: { receipt: "r", ...SERVER },
  });
  assert.deepEqual(gateway.calls[0]?.call, {
    method: "tools/call",
    completion: null,
    input: null,
    name: "tool",
    arguments: { a: [1] },
    trace: null,
    idempotencyKey: null,
    workflowId: "w",
    dataClass: "pii",
    requestId: "id-1",
    task: null,
  });
  await ask(endpoint, call());
  assert.equal(gateway.calls[1]?.call.trace, null);
});

test("the session is the principal's one, or the one its label names, and no request opens another", async () => {
  const { endpoint, gateway } = start();
  const labelled = { params: { _cmcp: { session_id: "mine" } } };
  for (const [changes, caller] of [
    [{}, alice],
    [{}, alice],
    [labelled, alice],
    [labelled, bob],
  ] as const) {
    const { headers } = await ask(endpoint, call(changes), caller);
    assert.equal(headers.get("mcp-session-id"), null);
  }
  assert.deepEqual(
    gateway.calls.map(({ session }) => session.id),
    ["alice/(none)", "alice/(none)", "alice/mine", "bob/mine"],
  );
  assert.equal(gateway.open.size, 0);
});

test("X-MCP-Workflow-ID may repeat the body and never differ from it", async () => {
  const { endpoint, gateway } = start();
  assertRefused(
    await ask(endpoint, call({ params: { _cmcp: { workflow_id: "w" } }, headers: { "x-mcp-workflow-id": "other" } })),
    INVALID_REQUEST,
  );
  await ask(endpoint, call({ headers: { "x-mcp-workflow-id": "w" } }));
  assert.deepEqual(
    gateway.calls.map((made) => made.call.workflowId),
    ["w"],
  );
});

test("a method of the legacy era, or of none, is 404 and says which", async () => {
  const { endpoint } = start();
  const cases: [string, RegExp][] = [
    ["initialize", /is no method of MCP 2026-07-28/],
    ["ping", /is no method of MCP 2026-07-28/],
    ["logging/setLevel", /is no method of MCP 2026-07-28/],
    ["resources/subscribe", /is no method of MCP 2026-07-28/],
    ["no/such", /is no method of MCP 2026-07-28/],
    ["tasks/result", /is no method of MCP 2026-07-28/],
  ];
  for (const [method, says] of cases) {
    const answer = await ask(endpoint, modernRequest(method));
    assertRefused(answer, { status: 404, rpc: -32601, code: "NOT_SUPPORTED" }, method);
    assert.match(answer.body.error?.message ?? "", says);
  }
  assertRefused(
    await ask(endpoint, modernRequest("prompts/get", { params: { name: "p" }, headers: { "mcp-name": "q" } })),
    MISMATCH,
  );
  assertRefused(await ask(endpoint, modernRequest("resources/read", { params: { uri: "file:///a" } })), MISMATCH);
});

test("notifications are accepted and change nothing; those that contradict themselves are refused", async () => {
  const { endpoint, gateway } = start();
  let stop: () => void = () => undefined;
  gateway.reply = (_, __, signal) =>
    new Promise((resolve) => (stop = () => resolve({ kind: "result", result: { cancelled: signal.aborted } })));
  const running = ask(endpoint, call());
  while (gateway.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
  const enveloped = { ...cancel, params: { ...cancel.params, _meta: ENVELOPE } };
  const modern = { "mcp-protocol-version": "2026-07-28" };
  for (const request of [
    raw(cancel, modern),
    raw(enveloped),
    raw(enveloped, { ...modern, "mcp-method": "notifications/cancelled" }),
  ]) {
    assert.equal((await ask(endpoint, request)).status, 202);
  }
  stop();
  assert.deepEqual((await running).body.result?.cancelled, false);
  const refused = { id: null };
  assertRefused(await ask(endpoint, raw(enveloped, { ...modern, "mcp-method": "tools/call" })), {
    ...MISMATCH,
    ...refused,
  });
  assertRefused(await ask(endpoint, raw(enveloped, { "mcp-protocol-version": "2025-11-25" })), {
    ...MISMATCH,
    ...refused,
  });
  assertRefused(await ask(endpoint, raw({ ...cancel, params: { _meta: { [INFO]: {} } } })), {
    ...INVALID_PARAMS,
    ...refused,
  });
});

test("parameters that are wrong, or that this gateway has no use for, are -32602", async () => {
  const { endpoint, gateway } = start();
  const wrong: [string, JsonObject][] = [
    ["tools/list", { cursor: 2 }],
    ["subscriptions/listen", {}],
    ["subscriptions/listen", { notifications: { resourceSubscriptions: [1] } }],
    ["completion/complete", { ref: { type: "ref/tool", name: "t" }, argument: { name: "a", value: "" } }],
    ["server/discover", { other: 1 }],
    ["tools/call", {}],
    ["tools/call", { name: 1 }],
    ["tools/call", { name: "" }],
    ["tools/call", { name: "tool", arguments: [] }],
    ["tools/call", { name: "tool", inputResponses: [] }],
    ["tools/call", { name: "tool", requestState: 1 }],
    ["tools/call", { name: "tool", _cmcp: { other: 1 } }],
  ];
  for (const [method, params] of wrong)
    assertRefused(await ask(endpoint, modernRequest(method, { params })), INVALID_PARAMS, JSON.stringify(params));
  assert.equal(gateway.calls.length, 0);
});

/** Code and advice of a refused tool call. */
function refusedCall({ status, body }: Answer): unknown {
  const meta = body.result?._meta;
  return [status, body.result?.isError, isJsonObject(meta) ? meta["cmcp.gateway/error"] : undefined];
}

test("a refused call is an answer, so it comes under 200 with its code", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => ({ kind: "error", code: "POLICY_DENY", message: "not allowed", data: { call_id: "c-1" } });
  assert.deepEqual(refusedCall(await ask(endpoint, call())), [200, true, { code: "POLICY_DENY", advice: "give-up" }]);
  const prompt = await ask(endpoint, modernRequest("prompts/get", { params: { name: "p" } }));
  assert.deepEqual(
    [prompt.status, prompt.body.error],
    [200, { code: -32000, message: "not allowed", data: { call_id: "c-1", error_code: "POLICY_DENY" } }],
  );
  gateway.sessions.default = () => {
    throw new CmcpError("SESSION_LIMIT_REACHED", "too many sessions");
  };
  assert.deepEqual(refusedCall(await ask(endpoint, call())), [
    200,
    true,
    { code: "SESSION_LIMIT_REACHED", advice: "give-up" },
  ]);
  gateway.sessions.default = () => {
    throw new Error("secret path");
  };
  const failed = await ask(endpoint, modernRequest("tools/list"));
  assertRefused(failed, { status: 200, rpc: -32603, code: "INTERNAL" });
  assert.doesNotMatch(JSON.stringify(failed.body), /secret/);
});

test("an agent that closes the stream aborts its call and no other", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = (_, __, signal) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve({ kind: "result", result: {} })));
  const [going, staying] = [new AbortController(), new AbortController()];
  const answers = [going, staying].map(({ signal }) => ask(endpoint, call({ signal })));
  while (gateway.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
  going.abort();
  await answers[0];
  assert.deepEqual(
    gateway.calls.map(({ signal }) => signal.aborted),
    [true, false],
  );
  staying.abort();
  await answers[1];
});

test("a session runs only so many requests at once, whatever their ids; others go on", async () => {
  const { endpoint, gateway } = start(2);
  const waiting: (() => void)[] = [];
  gateway.reply = () => new Promise((resolve) => waiting.push(() => resolve({ kind: "result", result: {} })));
  const running = [ask(endpoint, call()), ask(endpoint, call())];
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(refusedCall(await ask(endpoint, call())), [200, true, { code: "OVERLOADED", advice: "retry" }]);
  const other = ask(endpoint, call(), bob);
  while (waiting.length < 3) await new Promise((resolve) => setImmediate(resolve));
  waiting.forEach((end) => end());
  for (const answer of [...running, other]) assert.equal((await answer).body.error, undefined);
  assert.equal((await ask(endpoint, modernRequest("tools/list"))).body.error, undefined);
});
