import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { METHODS, isGoverned } from "../protocol/methods.ts";
import { alice, ask, call, initialized, post, rpc, start } from "../testing/ask.ts";
import { modernRequest } from "../testing/modern-request.ts";

const MARKER = "marker-5d2b";
const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };
/** What an agent could put into `_meta` beside what the protocol has there. */
const META: JsonObject = {
  progressToken: MARKER,
  baggage: MARKER,
  "com.example/note": { deep: [MARKER] },
  "cmcp.gateway/receipt": { forged: MARKER },
  "cmcp.gateway/claim": MARKER,
  "cmcp.gateway/error": { code: MARKER },
  _cmcp: { session_id: MARKER },
  "io.modelcontextprotocol/related-task": { taskId: MARKER },
};
const CAPABILITIES: JsonObject = {
  ...TASKS,
  elicitation: { form: { [MARKER]: 1 }, [MARKER]: {} },
  experimental: { [MARKER]: { [MARKER]: MARKER } },
  roots: { listChanged: true, [MARKER]: MARKER },
};
const PARAMS: Readonly<Record<string, JsonObject>> = {
  "tools/call": { name: "tool", arguments: {} },
  "prompts/get": { name: "p" },
  "resources/read": { uri: "a:b" },
  "resources/subscribe": { uri: "a:b" },
  "resources/unsubscribe": { uri: "a:b" },
  "completion/complete": { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "" } },
  "tasks/get": { taskId: "t" },
  "tasks/result": { taskId: "t" },
  "tasks/update": { taskId: "t", inputResponses: { q: {} } },
  "tasks/cancel": { taskId: "t" },
};
const HEADERS = { accept: "application/json, text/event-stream", "mcp-param-region": MARKER, "mcp-param-name": MARKER };

test("_meta, capabilities and Mcp-Param headers of an agent reach nobody, in any governed method of either era", async () => {
  for (const { name, eras } of METHODS.filter(isGoverned)) {
    const { gateway, endpoint } = start();
    const known: string[] = [];
    gateway.reply = (request, _session, _signal, peer) => {
      const { requestId: _, ...goesOn } = request;
      known.push(JSON.stringify([goesOn, peer.capabilities, peer.logLevel]));
      return { kind: "result", result: {} };
    };
    const params = PARAMS[name] ?? {};
    if (eras.includes("modern")) {
      const meta = { ...META, "io.modelcontextprotocol/clientCapabilities": CAPABILITIES };
      const named = typeof params.uri === "string" ? { "mcp-name": params.uri } : {};
      const headers = { ...HEADERS, ...named };
      const { status } = await ask(endpoint, modernRequest(name, { id: MARKER, params, meta, headers }));
      assert.equal(status, 200, name);
    }
    if (eras.includes("legacy") && name !== "tasks/update") {
      const opening = {
        protocolVersion: "2025-11-25",
        capabilities: CAPABILITIES,
        clientInfo: { name: MARKER, version: MARKER, [MARKER]: MARKER },
        [MARKER]: MARKER,
      };
      const { headers } = await ask(endpoint, post(rpc("initialize", opening)));
      const session = { ...HEADERS, "mcp-session-id": headers.get("mcp-session-id") ?? "" };
      const { status } = await ask(endpoint, post(rpc(name, { ...params, _meta: META }, MARKER), session));
      assert.equal(status, 200, name);
    }
    assert.equal(known.length, eras.length, name);
    for (const text of known) assert.doesNotMatch(text, new RegExp(MARKER), name);
  }
});

test("an agent's reason for a cancellation, its progress and its log end at the gateway", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  for (const [method, params] of [
    ["notifications/cancelled", { requestId: 9, reason: MARKER, _meta: META }],
    ["notifications/progress", { progressToken: MARKER, progress: 1, _meta: META }],
    ["notifications/message", { level: "info", data: MARKER }],
    ["notifications/roots/list_changed", { _meta: META }],
    ["notifications/tasks/status", { taskId: MARKER }],
  ] as const) {
    const { status } = await ask(endpoint, post({ jsonrpc: "2.0", method, params }, session));
    assert.equal(status, 202, method);
  }
  assert.deepEqual(gateway.calls, []);
});

test("a cancellation that comes twice, or after the result, changes nothing", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  const cancel = async (): Promise<number> =>
    (
      await ask(
        endpoint,
        post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }, session),
      )
    ).status;
  const begun = Promise.withResolvers<void>();
  let aborts = 0;
  gateway.reply = (_call, _session, signal) => {
    begun.resolve();
    return new Promise((resolve) =>
      signal.addEventListener("abort", () => {
        aborts += 1;
        resolve({ kind: "result", result: { content: [] } });
      }),
    );
  };
  const answer = ask(endpoint, post(call({}, 1), session));
  await begun.promise;
  assert.deepEqual([await cancel(), await cancel()], [202, 202]);
  assert.deepEqual((await answer).body.result, { content: [] });
  assert.equal(aborts, 1);
  assert.equal(await cancel(), 202);
  // The id is free again, and the late cancellation does not hit who has it now.
  gateway.reply = (_call, _session, signal) => ({ kind: "result", result: { aborted: signal.aborted } });
  assert.deepEqual((await ask(endpoint, post(call({}, 1), session))).body.result, { aborted: false });
});

test("a result that races its cancellation is answered once", async () => {
  const { gateway, endpoint } = start();
  const session = await initialized(endpoint);
  const finish = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  gateway.reply = async () => {
    begun.resolve();
    await finish.promise;
    return { kind: "result", result: { content: [] } };
  };
  const answer = endpoint(post(call({}, 1), session), alice);
  await begun.promise;
  const cancelled = ask(
    endpoint,
    post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }, session),
  );
  finish.resolve();
  assert.equal((await cancelled).status, 202);
  const bodies = (await (await answer).text()).match(/"jsonrpc"/g);
  assert.equal(bodies?.length, 1);
});
