import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import * as fc from "fast-check";
import { LEGACY_VERSIONS, SUPPORTED_VERSIONS } from "../index.ts";
import { TestGateway } from "../testing/gateway.ts";
import { webEndpoint, type WebEndpoint } from "../testing/web-endpoint.ts";

const alice = { principalId: "alice" };
const bob = { principalId: "bob" };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { id?: unknown; result?: JsonObject; error?: { code: number; message: string; data: JsonObject } };
}

async function ask(endpoint: WebEndpoint, request: Request, caller = alice): Promise<Answer> {
  const response = await endpoint(request, caller);
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Answer["body"]) };
}

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

function post(body: Body | object, headers: Record<string, string> = {}, signal: AbortSignal | null = null): Request {
  const raw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  const sent = raw ? body : JSON.stringify(body);
  return new Request("http://gateway/mcp", { method: "POST", headers: { "content-type": "application/json", ...headers }, body: sent, duplex: "half", signal });
}

const rpc = (method: string, params?: object, id: string | number = 1): object => ({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });
const call = (params: object = {}, id: string | number = 1): object => rpc("tools/call", { name: "tool", ...params }, id);
const initializeParams = (protocolVersion: string): object => ({ protocolVersion, capabilities: {}, clientInfo: { name: "agent", version: "1" } });

function start(): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway) };
}

/** A session opened by `initialize`, and the headers that go with it. */
async function initialized(endpoint: WebEndpoint, version = "2025-11-25"): Promise<Record<string, string>> {
  const { headers } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
  return { "mcp-session-id": headers.get("mcp-session-id") ?? "", "mcp-protocol-version": version };
}

function assertRefused(answer: Answer, expected: { status: number; rpc: number; code: string; id?: unknown }): void {
  const { error, id } = answer.body;
  assert.deepEqual({ status: answer.status, rpc: error?.code, code: error?.data.error_code, id }, { id: null, ...expected });
}

const unparsable: Record<string, { body: Body; cause: string }> = {
  "nothing": { body: "", cause: "JSON_SYNTAX" },
  "truncated JSON": { body: '{"jsonrpc":"2.0","id":1,', cause: "JSON_SYNTAX" },
  "non-UTF-8 bytes": { body: new Uint8Array([0x22, 0xff, 0x22]), cause: "JSON_INVALID_UTF8" },
  "a duplicate key": { body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', cause: "JSON_DUPLICATE_KEY" },
  "deep nesting": { body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`, cause: "JSON_TOO_DEEP" },
  "a number that does not round-trip": { body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', cause: "JSON_NUMBER_NOT_EXACT" },
  "a forbidden key": { body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{}}}', cause: "JSON_KEY_FORBIDDEN" },
  "more values than allowed": { body: `[${"0,".repeat(250_000)}0]`, cause: "JSON_TOO_MANY_ITEMS" },
};
for (const [name, { body, cause }] of Object.entries(unparsable)) {
  await test(`a body with ${name} is a parse error that names its cause`, async () => {
    const { endpoint, gateway } = start();
    const answer = await ask(endpoint, post(body));
    assertRefused(answer, { status: 400, rpc: -32700, code: "MCP_PARSE_FAILURE" });
    assert.equal(answer.body.error?.data.cause_code, cause);
    assert.equal((await ask(endpoint, post(call()))).status, 200);
    assert.equal(gateway.calls.length, 1);
  });
}

await test("any body gets a JSON-RPC answer and never an exception", async () => {
  const { endpoint } = start();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      const answer = await ask(endpoint, post(bytes));
      assert.equal(answer.status, 400);
      assert.ok(answer.body.error !== undefined);
    }),
    { numRuns: 50 },
  );
});

await test("a body over the limit is 413, whether its length is declared, hidden or a lie; it is read no further", async () => {
  const { gateway } = start();
  const endpoint = webEndpoint(gateway, { maxBodyBytes: 1000, maxInFlight: 64 });
  const tooLarge = { status: 413, rpc: -32600, code: "MCP_PAYLOAD_TOO_LARGE" };
  assertRefused(await ask(endpoint, post("x".repeat(1001))), tooLarge);
  let pulled = 0;
  const stream = (): ReadableStream<Uint8Array> => {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      pulled += 1;
      controller.enqueue(new Uint8Array(400));
    };
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  };
  assertRefused(await ask(endpoint, post(stream())), tooLarge);
  assertRefused(await ask(endpoint, post(stream(), { "content-length": "5" })), tooLarge);
  assert.equal(pulled, 6);
  assertRefused(await ask(endpoint, post(stream(), { "content-length": "1001" })), tooLarge);
  assert.equal(pulled, 6);
  assert.equal(gateway.calls.length, 0);
});

await test("a body that breaks off is answered, not thrown", async () => {
  const { endpoint } = start();
  const broken = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error("gone")) });
  assertRefused(await ask(endpoint, post(broken)), { status: 499, rpc: -32000, code: "REQUEST_CANCELLED" });
});

await test("an invalid message is 400 with the id it has", async () => {
  const { endpoint } = start();
  const invalid = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" };
  assertRefused(await ask(endpoint, post({ ...rpc("ping", undefined, "a"), jsonrpc: "1.0" })), { ...invalid, id: "a" });
  assertRefused(await ask(endpoint, post({ ...rpc("ping"), id: null })), invalid);
  const batch = await ask(endpoint, post([rpc("ping")]));
  assertRefused(batch, invalid);
  assert.match(batch.body.error?.message ?? "", /batch/);
});

for (const [name, headers, status] of [
  ["no JSON content type", { "content-type": "text/plain" }, 415],
  ["another charset", { "content-type": "application/json; charset=latin1" }, 415],
  ["a compressed body", { "content-encoding": "gzip" }, 415],
  ["an Accept without JSON", { accept: "text/event-stream" }, 406],
  ["an Accept that refuses JSON", { accept: "text/html, application/json;q=0" }, 406],
] as const) {
  await test(`${name} is refused with ${status}`, async () => {
    const { endpoint } = start();
    assertRefused(await ask(endpoint, post(rpc("ping"), headers)), { status, rpc: -32600, code: "MCP_INVALID_REQUEST" });
  });
}

await test("Accept and charset as clients send them are taken", async () => {
  const { endpoint } = start();
  for (const accept of ["application/json, text/event-stream", "*/*", "application/*;q=0.5", "Application/JSON"]) {
    assert.equal((await ask(endpoint, post(rpc("ping"), { accept, "content-type": 'application/json; charset="UTF-8"' }))).status, 200);
  }
});

for (const version of LEGACY_VERSIONS) {
  await test(`initialize agrees on ${version} and opens a session`, async () => {
    const { endpoint, gateway } = start();
    const { status, headers, body } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
    assert.equal(status, 200);
    assert.ok(gateway.open.has(headers.get("mcp-session-id") ?? ""));
    const tasks = version === "2025-11-25" ? { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } } : {};
    assert.deepEqual(body.result, { protocolVersion: version, capabilities: { tools: {}, ...tasks }, serverInfo: { name: "gateway", version: "1.2.3" } });
    assert.equal(headers.get("cache-control"), "no-store");
  });
}

await test("initialize for a version not spoken here is answered with the newest that is", async () => {
  const { endpoint } = start();
  for (const version of ["2024-11-05", "2026-07-28", "1"]) {
    const { body } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
    assert.equal(body.result?.protocolVersion, "2025-11-25");
  }
});

await test("initialize with wrong parameters, with _cmcp, or inside a session opens nothing", async () => {
  const { endpoint, gateway } = start();
  const params = { status: 400, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 };
  const good = initializeParams("2025-11-25");
  for (const wrong of [{}, { ...good, protocolVersion: 1 }, { ...good, capabilities: [] }, { ...good, clientInfo: { name: "agent" } }, { ...good, _cmcp: { session_id: "s" } }]) {
    assertRefused(await ask(endpoint, post(rpc("initialize", wrong))), params);
  }
  assert.equal(gateway.open.size, 0);
  const session = await initialized(endpoint);
  assertRefused(await ask(endpoint, post(rpc("initialize", good), session)), { status: 200, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 });
  assert.equal(gateway.open.size, 1);
});

await test("no room for a session is said with its own code and status", async () => {
  const { endpoint, gateway } = start();
  gateway.sessions.open = () => {
    throw new CmcpError("SESSION_LIMIT_REACHED", "too many sessions");
  };
  assertRefused(await ask(endpoint, post(rpc("initialize", initializeParams("2025-11-25")))), { status: 429, rpc: -32000, code: "SESSION_LIMIT_REACHED", id: 1 });
});

await test("versions that are not spoken are refused by name, with those that are and the request's id", async () => {
  const { endpoint } = start();
  for (const version of ["2024-11-05", "2027-01-01", "nonsense"]) {
    const answer = await ask(endpoint, post(rpc("ping"), { "mcp-protocol-version": version }));
    assertRefused(answer, { status: 400, rpc: -32022, code: "NOT_SUPPORTED", id: 1 });
    assert.match(answer.body.error?.message ?? "", new RegExp(`${version} is not supported by this gateway`));
    assert.deepEqual(answer.body.error?.data.supported, [...SUPPORTED_VERSIONS]);
    assert.equal(answer.body.error?.data.requested, version);
  }
});

await test("a version header other than the one negotiated is refused; without one the negotiated holds", async () => {
  const { endpoint } = start();
  const session = await initialized(endpoint, "2025-06-18");
  const other = await ask(endpoint, post(rpc("ping"), { ...session, "mcp-protocol-version": "2025-11-25" }));
  assertRefused(other, { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 });
  assert.equal((await ask(endpoint, post(rpc("ping"), session))).status, 200);
  assert.equal((await ask(endpoint, post(rpc("ping"), { "mcp-session-id": session["mcp-session-id"] ?? "" }))).status, 200);
});

await test("a handle that is unknown, empty, ended or another principal's is 404", async () => {
  const { endpoint } = start();
  const session = await initialized(endpoint);
  const unknown = { status: 404, rpc: -32000, code: "MCP_SESSION_UNKNOWN", id: 1 };
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": "nope" })), unknown);
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": "" })), unknown);
  assertRefused(await ask(endpoint, post(rpc("ping"), session), bob), unknown);
  await ask(endpoint, new Request("http://gateway/mcp", { method: "DELETE", headers: session }));
  assertRefused(await ask(endpoint, post(rpc("ping"), session)), unknown);
});

await test("a session that initialize did not open has no handle here", async () => {
  const { endpoint, gateway } = start();
  const { handle } = gateway.sessions.open(alice);
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": handle })), { status: 404, rpc: -32000, code: "MCP_SESSION_UNKNOWN", id: 1 });
});

await test("DELETE ends the session and stops what it runs; without a handle, or for another's, it ends nothing", async () => {
  const { endpoint, gateway } = start();
  const session = await initialized(endpoint);
  const remove = (headers: Record<string, string>): Request => new Request("http://gateway/mcp", { method: "DELETE", headers });
  assertRefused(await ask(endpoint, remove({})), { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" });
  assertRefused(await ask(endpoint, remove(session), bob), { status: 404, rpc: -32000, code: "MCP_SESSION_UNKNOWN" });
  assertRefused(await ask(endpoint, remove({ ...session, "mcp-protocol-version": "2026-07-28" })), { status: 405, rpc: -32600, code: "METHOD_NOT_ALLOWED" });
  assertRefused(await ask(endpoint, remove({ ...session, "mcp-protocol-version": "1999-01-01" })), { status: 400, rpc: -32022, code: "NOT_SUPPORTED" });
  assert.deepEqual(gateway.ended, []);
  gateway.reply = (_, __, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve({ ok: true, result: { stopped: true } })));
  const running = ask(endpoint, post(call(), session));
  while (gateway.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask(endpoint, remove(session))).status, 204);
  assert.deepEqual((await running).body.result, { stopped: true });
  assert.deepEqual(gateway.ended, [session["mcp-session-id"]]);
});

await test("GET and other methods are 405 and say what is allowed", async () => {
  const { endpoint } = start();
  for (const method of ["PUT", "HEAD", "OPTIONS"]) {
    const response = await endpoint(new Request("http://gateway/mcp", { method }), alice);
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST, GET, DELETE"]);
  }
});

await test("notifications and answers to nothing are accepted", async () => {
  const { endpoint, gateway } = start();
  const session = await initialized(endpoint);
  for (const message of [{ method: "notifications/initialized" }, { method: "notifications/whatever" }, { id: 7, result: {} }, { id: 7, error: { code: 1, message: "" } }]) {
    for (const headers of [session, {}]) assert.equal((await ask(endpoint, post({ jsonrpc: "2.0", ...message }, headers))).status, 202);
  }
  assert.equal((await ask(endpoint, post({ jsonrpc: "2.0", method: "tools/call", params: { name: "tool" } }, session))).status, 202);
  assert.equal(gateway.calls.length, 0);
});

await test("a resource is followed in a session only, as nothing else has a stream to hear of changes", async () => {
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

await test("what is not implemented is refused by name", async () => {
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

await test("tools are listed as the gateway approved them", async () => {
  const { endpoint, gateway } = start();
  const tools = [{ name: "tool", description: "approved", inputSchema: { type: "object" }, outputSchema: { type: "object" } }];
  gateway.tools = tools;
  assert.deepEqual((await ask(endpoint, post(rpc("tools/list")))).body.result, { tools });
});

await test("the legacy era is shown no output schema but an object's, and structured content of another kind as text", async () => {
  const { endpoint, gateway } = start();
  const tool = { name: "tool", description: "approved", inputSchema: { type: "object" } };
  gateway.tools = [{ ...tool, outputSchema: { type: "array" } }, { ...tool, name: "typeless", outputSchema: { anyOf: [] } }];
  assert.deepEqual((await ask(endpoint, post(rpc("tools/list")))).body.result, { tools: [tool, { ...tool, name: "typeless" }] });
  const image = { type: "image", data: "", mimeType: "image/png" };
  const text = { type: "text", text: "one, two" };
  const answers: [JsonObject, JsonObject][] = [
    [{ content: [image], structuredContent: [1, 2] }, { content: [image, { type: "text", text: "[1,2]" }] }],
    [{ content: [text], structuredContent: [1, 2] }, { content: [text] }],
    [{ content: [], structuredContent: { a: 1 } }, { content: [], structuredContent: { a: 1 } }],
  ];
  for (const [result, delivered] of answers) {
    gateway.reply = () => ({ ok: true, result });
    assert.deepEqual((await ask(endpoint, post(call()))).body.result, delivered);
  }
});

await test("a call goes on with what it is made of, without what was meant for the gateway", async () => {
  const { endpoint, gateway } = start();
  const params = { arguments: { a: [1] }, _meta: { progressToken: "p", trace: "t" }, _cmcp: { session_id: "mine", workflow_id: "w", data_class: "pii" } };
  gateway.reply = () => ({ ok: true, result: { content: [], answered: true } });
  const { status, body } = await ask(endpoint, post(call(params, "id-1")));
  assert.deepEqual([status, body.id, body.result], [200, "id-1", { content: [], answered: true }]);
  assert.deepEqual(gateway.calls[0]?.call, { method: "tools/call", params: { name: "tool", arguments: { a: [1] } }, input: null, name: "tool", arguments: { a: [1] }, meta: { trace: "t" }, workflowId: "w", dataClass: "pii", requestId: "id-1", task: null });
  await ask(endpoint, post(call({ _meta: { progressToken: 1 } })));
  assert.deepEqual(gateway.calls[1]?.call, { method: "tools/call", params: { name: "tool" }, input: null, name: "tool", arguments: {}, meta: null, workflowId: null, dataClass: null, requestId: 1, task: null });
});

await test("without a handle the label chooses among the caller's own sessions", async () => {
  const { endpoint, gateway } = start();
  const labelled = { _cmcp: { session_id: "mine" } };
  for (const [params, caller] of [[labelled, alice], [labelled, alice], [{}, alice], [labelled, bob]] as const) await ask(endpoint, post(call(params)), caller);
  assert.deepEqual(gateway.calls.map(({ session }) => session.id), ["alice/mine", "alice/mine", "alice/(none)", "bob/mine"]);
});

await test("the workflow header may repeat the body and never differ from it", async () => {
  const { endpoint, gateway } = start();
  const inBody = { _cmcp: { workflow_id: "w" } };
  await ask(endpoint, post(call(inBody), { "x-mcp-workflow-id": "w" }));
  await ask(endpoint, post(call({}), { "x-mcp-workflow-id": "header" }));
  assert.deepEqual(gateway.calls.map((made) => made.call.workflowId), ["w", "header"]);
  const refused = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 };
  assertRefused(await ask(endpoint, post(call(inBody), { "x-mcp-workflow-id": "other" })), refused);
  assertRefused(await ask(endpoint, post(call({}), { "x-mcp-workflow-id": "" })), refused);
  assert.equal(gateway.calls.length, 2);
});

await test("wrong parameters of a call never reach the gateway", async () => {
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
  for (const params of wrong) assertRefused(await ask(endpoint, post(call(params))), { status: 400, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 });
  const both = await ask(endpoint, post(call({ _cmcp: { session_id: "mine" } }), session));
  assertRefused(both, { status: 200, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 });
  assert.equal(gateway.calls.length, 0);
});

await test("a denied call is 403 for a single POST and 200 inside a session, with the same error", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => ({ ok: false, code: "POLICY_DENY", message: "not allowed", data: { call_id: "c-1", error_code: "POLICY_DENY" } });
  const plain = await ask(endpoint, post(call()));
  const inSession = await ask(endpoint, post(call(), await initialized(endpoint)));
  assert.deepEqual([plain.status, inSession.status], [403, 200]);
  assert.deepEqual(plain.body, { jsonrpc: "2.0", id: 1, error: { code: -32000, message: "not allowed", data: { call_id: "c-1", error_code: "POLICY_DENY" } } });
  assert.deepEqual(inSession.body, plain.body);
});

await test("what the gateway throws becomes its code; the text of anything unexpected stays inside", async () => {
  const { endpoint, gateway } = start();
  gateway.reply = () => {
    throw new Error("secret path");
  };
  const answer = await ask(endpoint, post(call()));
  assertRefused(answer, { status: 500, rpc: -32603, code: "INTERNAL", id: 1 });
  assert.doesNotMatch(JSON.stringify(answer.body), /secret/);
  gateway.reply = () => Promise.reject(new CmcpError("AUDIT_STORE_UNAVAILABLE", "no store"));
  assertRefused(await ask(endpoint, post(call())), { status: 503, rpc: -32000, code: "AUDIT_STORE_UNAVAILABLE", id: 1 });
});

/** A gateway whose calls end when aborted, or when the test releases them. */
function holding(): { gateway: TestGateway; endpoint: WebEndpoint; release: () => void; started: (count: number) => Promise<void> } {
  const { gateway } = start();
  const waiting: (() => void)[] = [];
  gateway.reply = (_, __, signal) =>
    new Promise((resolve) => {
      waiting.push(() => resolve({ ok: true, result: { cancelled: false } }));
      signal.addEventListener("abort", () => resolve({ ok: true, result: { cancelled: true } }));
    });
  const started = async (count: number): Promise<void> => {
    while (gateway.calls.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  const release = (): void => waiting.forEach((end) => end());
  return { gateway, endpoint: webEndpoint(gateway, { maxBodyBytes: 10_000, maxInFlight: 2 }), release, started };
}

await test("an id that is still running is refused in its session, and free again afterwards", async () => {
  const { endpoint, release, started } = holding();
  const session = await initialized(endpoint);
  const first = ask(endpoint, post(call({}, 1), session));
  await started(1);
  assertRefused(await ask(endpoint, post(call({}, 1), session)), { status: 200, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 });
  const asText = ask(endpoint, post(call({}, "1"), session));
  await started(2);
  release();
  assert.deepEqual([(await first).status, (await asText).body.id], [200, "1"]);
  assert.equal((await ask(endpoint, post(rpc("ping", undefined, 1), session))).body.error, undefined);
});

await test("more requests than a session may run are refused, and other sessions are not affected", async () => {
  const { endpoint, release, started } = holding();
  const session = await initialized(endpoint);
  const running = [1, 2].map((id) => ask(endpoint, post(call({}, id), session)));
  await started(2);
  assertRefused(await ask(endpoint, post(call({}, 3), session)), { status: 200, rpc: -32000, code: "OVERLOADED", id: 3 });
  assert.equal((await ask(endpoint, post(rpc("ping", undefined, 3), await initialized(endpoint)))).status, 200);
  release();
  await Promise.all(running);
});

await test("notifications/cancelled stops that request of that session and no other", async () => {
  const { endpoint, release, started } = holding();
  const [mine, other] = [await initialized(endpoint), await initialized(endpoint)];
  const cancel = (headers: Record<string, string>, requestId: unknown): Promise<Answer> =>
    ask(endpoint, post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } }, headers));
  const target = ask(endpoint, post(call({}, 1), mine));
  const sibling = ask(endpoint, post(call({}, 2), mine));
  const foreign = ask(endpoint, post(call({}, 1), other));
  const single = ask(endpoint, post(call({}, 1)));
  await started(4);
  for (const requestId of ["1", 99, null, {}]) assert.equal((await cancel(mine, requestId)).status, 202);
  assert.equal((await cancel({}, 1)).status, 202);
  assert.equal((await cancel(mine, 1)).status, 202);
  assert.deepEqual((await target).body.result, { cancelled: true });
  release();
  for (const untouched of [sibling, foreign, single]) assert.deepEqual((await untouched).body.result, { cancelled: false });
});

await test("an agent that goes away aborts its call, with a session and without", async () => {
  const { endpoint, gateway, started } = holding();
  const headers = [await initialized(endpoint), {}];
  for (const [index, header] of headers.entries()) {
    const going = new AbortController();
    const answer = ask(endpoint, post(call(), header, going.signal));
    await started(index + 1);
    going.abort();
    assert.deepEqual((await answer).body.result, { cancelled: true });
  }
  assert.ok(gateway.calls.every(({ signal }) => signal.aborted));
});
