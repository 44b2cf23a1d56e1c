import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { SUPPORTED_VERSIONS } from "../../index.ts";
import { TestGateway } from "../../testing/gateway.ts";
import { ENVELOPE, modernRequest, type ChangeListeners } from "../../testing/modern-request.ts";
import { webEndpoint, type WebEndpoint } from "../../testing/web-endpoint.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";
const INFO = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
const SERVER = { "io.modelcontextprotocol/serverInfo": { name: "gateway", version: "1.2.3" } };
const alice = { principalId: "alice" };
const bob = { principalId: "bob" };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { id?: unknown; result?: JsonObject; error?: { code: number; message: string; data: JsonObject } };
}

function start(maxInFlight = 64): { gateway: TestGateway; endpoint: WebEndpoint } {
  const gateway = new TestGateway();
  return { gateway, endpoint: webEndpoint(gateway, { maxBodyBytes: 100_000, maxInFlight }) };
}

async function ask(endpoint: WebEndpoint, request: Request, caller = alice): Promise<Answer> {
  const response = await endpoint(request, caller);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? {} : (JSON.parse(text) as Answer["body"]),
  };
}

/** Any message as it stands, with any headers. */
function raw(message: object, headers: Record<string, string> = {}): Request {
  return new Request("http://gateway/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
}

function assertRefused(
  { status, body }: Answer,
  expected: { status: number; rpc: number; code: string; id?: unknown },
  why = "",
): void {
  assert.deepEqual(
    { status, rpc: body.error?.code, code: body.error?.data.error_code, id: body.id },
    { id: 1, ...expected },
    `${why} ${JSON.stringify(body)}`,
  );
}

const call = (changes: ChangeListeners & { params?: JsonObject } = {}): Request =>
  modernRequest("tools/call", { ...changes, params: { name: "tool", ...changes.params } });
const INVALID_PARAMS = { status: 400, rpc: -32602, code: "MCP_INVALID_REQUEST" };
const INVALID_REQUEST = { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" };
const MISMATCH = { status: 400, rpc: -32020, code: "MCP_HEADER_MISMATCH" };

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

test("clientInfo may be left out, and other metadata stand beside the envelope", async () => {
  const { endpoint } = start();
  assert.equal((await ask(endpoint, call({ meta: { [INFO]: undefined, traceparent: "00-x" } }))).status, 200);
});

const envelopes: Record<string, { meta: NonNullable<ChangeListeners["meta"]>; key: string; problem?: string }> = {
  "no version": { meta: { [VERSION]: undefined }, key: VERSION, problem: "is missing" },
  "a version that is no string": { meta: { [VERSION]: 20260728 }, key: VERSION },
  "no capabilities": { meta: { [CAPABILITIES]: undefined }, key: CAPABILITIES, problem: "is missing" },
  "capabilities that are no object": { meta: { [CAPABILITIES]: [] }, key: CAPABILITIES },
  "a client without a version": { meta: { [INFO]: { name: "agent" } }, key: INFO },
  "a client with an endless name": { meta: { [INFO]: { name: "x".repeat(257), version: "1" } }, key: INFO },
  "a client that is no object": { meta: { [INFO]: "agent" }, key: INFO },
  "an unknown log level": { meta: { [LOG_LEVEL]: "loud" }, key: LOG_LEVEL },
  "only a client": { meta: { [VERSION]: undefined, [CAPABILITIES]: undefined }, key: VERSION },
  "only capabilities": { meta: { [VERSION]: undefined, [INFO]: undefined }, key: VERSION },
};
for (const [name, { meta, key, problem }] of Object.entries(envelopes)) {
  test(`an envelope with ${name} is -32602 that names the key, with and without the modern header`, async () => {
    const { endpoint, gateway } = start();
    for (const headers of [{}, { "mcp-protocol-version": null, "mcp-method": null, "mcp-name": null }]) {
      for (const request of [call({ meta, headers }), modernRequest("server/discover", { meta, headers })]) {
        const answer = await ask(endpoint, request);
        assertRefused(answer, INVALID_PARAMS);
        const named = answer.body.error?.data.envelope as JsonObject | undefined;
        assert.deepEqual([named?.key, named?.problem], [key, problem ?? named?.problem]);
      }
    }
    assert.equal(gateway.calls.length, 0);
  });
}

test("a request without an envelope is refused where its header or method says that it is modern", async () => {
  const { endpoint, gateway } = start();
  const modern = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "tool" };
  const bare = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "tool" } };
  for (const request of [
    raw(bare, modern),
    raw({ ...bare, params: { name: "tool", _meta: {} } }, modern),
    raw({ ...bare, params: { name: "tool", _meta: "x" } }, modern),
    raw({ jsonrpc: "2.0", id: 1, method: "server/discover" }),
    raw({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params: {} }),
  ]) {
    assertRefused(await ask(endpoint, request), INVALID_PARAMS);
  }
  assert.equal(gateway.calls.length, 0);
  assert.equal((await ask(endpoint, raw(bare))).status, 200, "the single POST without an envelope stays what it was");
});

test("a version that is not spoken is -32022 with those that are; a legacy version takes no envelope", async () => {
  const { endpoint, gateway } = start();
  for (const version of ["v999.0.0", "2027-01-01", "2024-11-05"]) {
    const answer = await ask(
      endpoint,
      call({ meta: { [VERSION]: version }, headers: { "mcp-protocol-version": version } }),
    );
    assertRefused(answer, { status: 400, rpc: -32022, code: "NOT_SUPPORTED" });
    assert.deepEqual(
      [answer.body.error?.data.supported, answer.body.error?.data.requested],
      [[...SUPPORTED_VERSIONS], version],
    );
  }
  const unreadable = await ask(
    endpoint,
    call({ meta: { [VERSION]: "<b>" }, headers: { "mcp-protocol-version": "<b>" } }),
  );
  assert.equal(unreadable.body.error?.data.requested, "(unreadable)");
  const legacy = await ask(
    endpoint,
    call({ meta: { [VERSION]: "2025-11-25" }, headers: { "mcp-protocol-version": "2025-11-25" } }),
  );
  assertRefused(legacy, INVALID_PARAMS);
  assert.match(legacy.body.error?.message ?? "", /2025-11-25 has no envelope/);
  assert.equal(gateway.calls.length, 0);
});

const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString("base64")}?=`;
const mismatches: Record<string, NonNullable<ChangeListeners["headers"]>> = {
  "no version header": { "mcp-protocol-version": null },
  "another version in the header": { "mcp-protocol-version": "2025-11-25" },
  "an unknown version in the header": { "mcp-protocol-version": "v999" },
  "no method header": { "mcp-method": null },
  "another method in the header": { "mcp-method": "tools/list" },
  "the method in capitals": { "mcp-method": "TOOLS/CALL" },
  "two methods": { "mcp-method": "tools/call, tools/call" },
  "no name header": { "mcp-name": null },
  "another name in the header": { "mcp-name": "other" },
  "the name in capitals": { "mcp-name": "TOOL" },
  "another name in base64": { "mcp-name": base64("other") },
  "base64 that is none": { "mcp-name": "=?base64?%%%?=" },
  "base64 without its padding": { "mcp-name": base64("tool").replaceAll("=?=", "?=") },
  "base64 of what is not UTF-8": { "mcp-name": "=?base64?/w==?=" },
};
for (const [name, headers] of Object.entries(mismatches)) {
  test(`${name} is -32020, and nothing runs`, async () => {
    const { endpoint, gateway } = start();
    assertRefused(await ask(endpoint, call({ headers })), MISMATCH);
    assert.equal(gateway.calls.length, 0);
  });
}

test("the name may stand in base64, with blanks around it, and in any script", async () => {
  const { endpoint, gateway } = start();
  assert.equal((await ask(endpoint, call({ headers: { "mcp-name": base64("tool") } }))).status, 200);
  assert.equal((await ask(endpoint, call({ headers: { "mcp-name": "  tool\t" } }))).status, 200);
  for (const name of ["größe", " x ", "=?base64?dG9vbA==?="])
    assert.equal((await ask(endpoint, call({ params: { name } }))).status, 200, name);
  assert.deepEqual(
    gateway.calls.slice(2).map((made) => made.call.name),
    ["größe", " x ", "=?base64?dG9vbA==?="],
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

test("eras do not mix: each mixture has its own refusal, and nothing of it runs", async () => {
  const { endpoint, gateway } = start();
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
  };
  const opened = await ask(endpoint, raw(initialize));
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  assertRefused(
    await ask(endpoint, call({ headers: session })),
    INVALID_REQUEST,
    "a modern request in a legacy session",
  );
  assertRefused(
    await ask(endpoint, call({ headers: { "mcp-session-id": "unknown" } })),
    INVALID_REQUEST,
    "a modern request in an unknown session",
  );
  assertRefused(
    await ask(endpoint, raw(initialize, { "mcp-protocol-version": "2026-07-28" })),
    MISMATCH,
    "initialize under the modern header",
  );
  assertRefused(
    await ask(
      endpoint,
      raw({ jsonrpc: "2.0", id: 1, method: "ping" }, { ...session, "mcp-protocol-version": "2026-07-28" }),
    ),
    INVALID_PARAMS,
    "a legacy request under the modern header",
  );
  for (const reply of [{ result: {} }, { error: { code: 1, message: "" } }]) {
    assertRefused(
      await ask(endpoint, raw({ jsonrpc: "2.0", id: 1, ...reply }, { "mcp-protocol-version": "2026-07-28" })),
      INVALID_REQUEST,
      "an answer to nothing",
    );
  }
  assert.equal(gateway.calls.length, 0);
  assert.equal(gateway.open.size, 1);
  const still = await ask(endpoint, raw({ jsonrpc: "2.0", id: 2, method: "ping" }, session));
  assert.deepEqual(still.body.result, {}, "the legacy session goes on");
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

test("property: an envelope of any shape is answered once, and a call runs only under one that is whole", async () => {
  const { endpoint, gateway } = start();
  const json = fc
    .jsonValue({ maxDepth: 2 })
    .filter((value) => !JSON.stringify(value).includes("__proto__")) as fc.Arbitrary<JsonValue>;
  const part = (good: JsonValue): fc.Arbitrary<JsonValue | undefined> =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, fc.constant(undefined), json);
  const meta = fc.record({
    [VERSION]: part("2026-07-28"),
    [INFO]: part({ name: "a", version: "1" }),
    [CAPABILITIES]: part({}),
    [LOG_LEVEL]: part("info"),
  });
  const isObject = (value: JsonValue | undefined): value is JsonObject =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  await fc.assert(
    fc.asyncProperty(meta, fc.constantFrom("2026-07-28", "2025-11-25", null), async (envelope, header) => {
      const before = gateway.calls.length;
      const info = envelope[INFO];
      const whole =
        envelope[VERSION] === "2026-07-28" &&
        isObject(envelope[CAPABILITIES]) &&
        (info === undefined || (isObject(info) && typeof info.name === "string" && typeof info.version === "string")) &&
        (envelope[LOG_LEVEL] === undefined || envelope[LOG_LEVEL] === "info");
      const claimed = [envelope[VERSION], info, envelope[CAPABILITIES]].some((value) => value !== undefined);
      const { status, body } = await ask(
        endpoint,
        call({ meta: envelope, headers: { "mcp-protocol-version": header } }),
      );
      const runs = claimed ? whole && header === "2026-07-28" : header !== "2026-07-28";
      assert.equal(gateway.calls.length - before, runs ? 1 : 0, JSON.stringify(body));
      assert.equal(status, runs ? 200 : 400);
      if (!runs) assert.ok([-32602, -32020, -32022].includes(body.error?.code ?? 0), JSON.stringify(body));
    }),
    { numRuns: 300 },
  );
});
