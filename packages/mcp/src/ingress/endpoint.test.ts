/** What the endpoint makes of requests it understands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { alice, bob, ask, post, rpc, call, start, initialized, assertRefused } from "../testing/ask.ts";

test("GET and other methods are 405 and say what is allowed", async () => {
  const { endpoint } = start();
  for (const method of ["PUT", "HEAD", "OPTIONS"]) {
    const response = await endpoint(new Request("http://gateway/mcp", { method }), alice);
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST, GET, DELETE"]);
  }
});

test("notifications and answers to nothing are accepted", async () => {
  const { endpoint, gateway } = start();
  const session = await initialized(endpoint);
  for (const message of [
    { method: "notifications/initialized" },
    { method: "notifications/whatever" },
    { id: 7, result: {} },
    { id: 7, error: { code: 1, message: "" } },
  ]) {
    for (const headers of [session, {}])
      assert.equal((await ask(endpoint, post({ jsonrpc: "2.0", ...message }, headers))).status, 202);
  }
  assert.equal(
    (await ask(endpoint, post({ jsonrpc: "2.0", method: "tools/call", params: { name: "tool" } }, session))).status,
    202,
  );
  assert.equal(gateway.calls.length, 0);
});

test("a resource is followed in a session only, as nothing else has a stream to hear of changes", async () => {
  const { endpoint, gateway } = start();
  const follow = (context: object = {}): object => rpc("resources/subscribe", { uri: "memo://one", ...context });
  for (const message of [follow(), follow({ _cmcp: { session_id: "label" } })]) {
    const answer = await ask(endpoint, post(message));
    assertRefused(answer, { status: 501, rpc: -32601, code: "NOT_SUPPORTED", id: 1 });
    assert.match(answer.body.error?.message ?? "", /needs a session/);
  }
  assert.equal(gateway.calls.length, 0);
  assert.equal((await ask(endpoint, post(follow(), await initialized(endpoint)))).body.error, undefined);
  assert.equal(gateway.calls.length, 1);
});

test("what is not implemented is refused by name", async () => {
  const { endpoint } = start();
  const session = await initialized(endpoint);
  for (const method of ["tasks/update", "subscriptions/other", "no/such"]) {
    const answer = await ask(endpoint, post(rpc(method), session));
    assertRefused(answer, { status: 200, rpc: -32601, code: "NOT_SUPPORTED", id: 1 });
    assert.match(answer.body.error?.message ?? "", new RegExp(`${method}.*not supported by this gateway`));
    assertRefused(await ask(endpoint, post(rpc(method))), { status: 501, rpc: -32601, code: "NOT_SUPPORTED", id: 1 });
  }
  const params = { status: 200, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 };
  assertRefused(await ask(endpoint, post(rpc("tools/list", { cursor: 2 }), session)), params);
  assertRefused(await ask(endpoint, post(call({ requestState: "s" }), session)), params);
  assertRefused(await ask(endpoint, post(rpc("prompts/get", { name: "prompt", task: { ttl: 1 } }), session)), params);
  assertRefused(await ask(endpoint, post(call({ other: 1 }), session)), params);
  assertRefused(await ask(endpoint, post(rpc("ping", { other: 1 }), session)), params);
});

test("tools are listed as the gateway approved them", async () => {
  const { endpoint, gateway } = start();
  const tools = [
    { name: "tool", description: "approved", inputSchema: { type: "object" }, outputSchema: { type: "object" } },
  ];
  gateway.tools = tools;
  assert.deepEqual((await ask(endpoint, post(rpc("tools/list")))).body.result, { tools });
});

test("the legacy era is shown no output schema but an object's, and structured content of another kind as text", async () => {
  const { endpoint, gateway } = start();
  const tool = { name: "tool", description: "approved", inputSchema: { type: "object" } };
  gateway.tools = [
    { ...tool, outputSchema: { type: "array" } },
    { ...tool, name: "typeless", outputSchema: { anyOf: [] } },
  ];
  assert.deepEqual((await ask(endpoint, post(rpc("tools/list")))).body.result, {
    tools: [tool, { ...tool, name: "typeless" }],
  });
  const image = { type: "image", data: "", mimeType: "image/png" };
  const text = { type: "text", text: "one, two" };
  const answers: [JsonObject, JsonObject][] = [
    [{ content: [image], structuredContent: [1, 2] }, { content: [image, { type: "text", text: "[1,2]" }] }],
    [{ content: [text], structuredContent: [1, 2] }, { content: [text] }],
    [
      { content: [], structuredContent: { a: 1 } },
      { content: [], structuredContent: { a: 1 } },
    ],
  ];
  for (const [result, delivered] of answers) {
    gateway.reply = () => ({ kind: "result", result });
    assert.deepEqual((await ask(endpoint, post(call()))).body.result, delivered);
  }
});

test("a call goes on with what it is made of, without what was meant for the gateway", async () => {
  const { endpoint, gateway } = start();
  const params = {
    arguments: { a: [1] },
    _meta: { progressToken: "p", "com.example/a": "t" },
    _cmcp: { session_id: "mine", workflow_id: "w", data_class: "pii" },
  };
  gateway.reply = () => ({ kind: "result", result: { content: [], answered: true } });
  const { status, body } = await ask(endpoint, post(call(params, "id-1")));
  assert.deepEqual([status, body.id, body.result], [200, "id-1", { content: [], answered: true }]);
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
  await ask(endpoint, post(call({ _meta: { progressToken: 1 } })));
  assert.deepEqual(gateway.calls[1]?.call, {
    method: "tools/call",
    completion: null,
    input: null,
    name: "tool",
    arguments: {},
    trace: null,
    idempotencyKey: null,
    workflowId: null,
    dataClass: null,
    requestId: 1,
    task: null,
  });
});

test("without a handle the label chooses among the caller's own sessions", async () => {
  const { endpoint, gateway } = start();
  const labelled = { _cmcp: { session_id: "mine" } };
  for (const [params, caller] of [
    [labelled, alice],
    [labelled, alice],
    [{}, alice],
    [labelled, bob],
  ] as const)
    await ask(endpoint, post(call(params)), caller);
  assert.deepEqual(
    gateway.calls.map(({ session }) => session.id),
    ["alice/mine", "alice/mine", "alice/(none)", "bob/mine"],
  );
});

test("the workflow header may repeat the body and never differ from it", async () => {
  const { endpoint, gateway } = start();
  const inBody = { _cmcp: { workflow_id: "w" } };
  await ask(endpoint, post(call(inBody), { "x-mcp-workflow-id": "w" }));
  await ask(endpoint, post(call({}), { "x-mcp-workflow-id": "header" }));
  assert.deepEqual(
    gateway.calls.map((made) => made.call.workflowId),
    ["w", "header"],
  );
  const refused = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 };
  assertRefused(await ask(endpoint, post(call(inBody), { "x-mcp-workflow-id": "other" })), refused);
  assertRefused(await ask(endpoint, post(call({}), { "x-mcp-workflow-id": "" })), refused);
  assert.equal(gateway.calls.length, 2);
});

test("wrong parameters of a call never reach the gateway", async () => {
  const { endpoint, gateway } = start();
  const session = await initialized(endpoint);
  const wrong: object[] = [
    { name: "" },
    { name: 1 },
    { name: "x".repeat(257) },
    { arguments: [] },
    { arguments: null },
    { _meta: [] },
    { _cmcp: "text" },
    { _cmcp: { session_id: 1 } },
    { _cmcp: { session_id: "" } },
    { _cmcp: { workflow_id: "x".repeat(257) } },
    { _cmcp: { other: 1 } },
  ];
  for (const params of wrong)
    assertRefused(await ask(endpoint, post(call(params))), {
      status: 400,
      rpc: -32602,
      code: "MCP_INVALID_REQUEST",
      id: 1,
    });
  const both = await ask(endpoint, post(call({ _cmcp: { session_id: "mine" } }), session));
  assertRefused(both, { status: 200, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 });
  assert.equal(gateway.calls.length, 0);
});

test("a denied call is an error and 403 for a single POST, and a result inside a session", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => ({
    kind: "error",
    code: "POLICY_DENY",
    message: "not allowed",
    data: { call_id: "c-1", error_code: "POLICY_DENY" },
  });
  const plain = await ask(endpoint, post(call()));
  const inSession = await ask(endpoint, post(call(), await initialized(endpoint)));
  assert.deepEqual([plain.status, inSession.status], [403, 200]);
  assert.deepEqual(plain.body, {
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32000, message: "not allowed", data: { call_id: "c-1", error_code: "POLICY_DENY" } },
  });
  assert.deepEqual(inSession.body.result, {
    content: [{ type: "text", text: "This tool call was refused: not allowed. Do not try this call again." }],
    isError: true,
    _meta: { "cmcp.gateway/error": { code: "POLICY_DENY", advice: "give-up" } },
  });
});

test("what the gateway throws becomes its code; the text of anything unexpected stays inside", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => {
    throw new Error("secret path");
  };
  const answer = await ask(endpoint, post(call()));
  assertRefused(answer, { status: 500, rpc: -32603, code: "INTERNAL", id: 1 });
  assert.doesNotMatch(JSON.stringify(answer.body), /secret/);
  gateway.reply = () => Promise.reject(new CmcpError("AUDIT_STORE_UNAVAILABLE", "no store"));
  assertRefused(await ask(endpoint, post(call())), {
    status: 503,
    rpc: -32000,
    code: "AUDIT_STORE_UNAVAILABLE",
    id: 1,
  });
});
