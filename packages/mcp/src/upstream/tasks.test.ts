import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../peer.ts";
import { json, reply, type Handshake, type Script } from "../testing/scripted-server.ts";
import { faultOf, forever, start as startScripted } from "../testing/upstream.ts";
import { Conversation } from "./channel/conversation.ts";

const EXTENSION = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const MODERN: Handshake = {
  discover: (request) =>
    json(reply(request, { supportedVersions: ["2026-07-28"], capabilities: {}, ttlMs: 0, cacheScope: "private" })),
};
const legacy = (protocolVersion: string, capabilities: JsonObject): Handshake => ({
  initialize: (request) =>
    json(reply(request, { protocolVersion, capabilities, serverInfo: { name: "scripted", version: "1" } })),
});
const TAKES = { tasks: { requests: { tools: { call: {} } } } };
const AS_TASK = { method: "tools/call", params: { name: "tool", arguments: {}, task: { ttl: 1 } } };

const start = (t: TestContext, handshake: Handshake, script: Script): ReturnType<typeof startScripted> =>
  startScripted(t, script, {}, handshake);

const answering =
  (result: JsonObject): Script =>
  (request, socket) =>
    void socket.write(json(reply(request, result)));
const declaring = (capabilities: JsonObject): Peer => ({ ...silentPeer(forever), capabilities });

test("a modern server answers a call with a task where the client declared the extension, and nowhere else", async (t) => {
  const { client, server } = await start(t, MODERN, answering({ resultType: "task", taskId: "t" }));
  const request = { method: "tools/call", params: { name: "tool", arguments: {} } };
  assert.deepEqual(await client.request("s", request, declaring(EXTENSION)), { kind: "task", task: { taskId: "t" } });
  assert.equal((await faultOf(client.request("s", request, declaring({})))).code, "UPSTREAM_PROTOCOL_ERROR");
  assert.equal(
    (await faultOf(client.request("s", { method: "resources/read", params: { uri: "a:b" } }, declaring(EXTENSION))))
      .code,
    "UPSTREAM_PROTOCOL_ERROR",
    "only a tool call can become one",
  );
  await client
    .request("s", { method: "tasks/get", params: { taskId: "ü" } }, declaring(EXTENSION))
    .catch(() => undefined);
  assert.equal(server.requests.at(-1)?.headers.get("mcp-name"), "=?base64?w7w=?=", "the header names the task");
});

test("a modern server is not asked for a task: it decides by itself", async (t) => {
  const { client, server } = await start(t, MODERN, answering({ content: [] }));
  const fault = await faultOf(client.request("s", AS_TASK, declaring(EXTENSION)));
  assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["TASK_NOT_SUPPORTED", 0, 0]);
});

test("a legacy server is asked for a task only where its version and capabilities have them", async (t) => {
  for (const [handshake, taken] of [
    [legacy("2025-11-25", TAKES), true],
    [legacy("2025-06-18", TAKES), false],
    [legacy("2025-11-25", { tasks: {} }), false],
    [legacy("2025-11-25", {}), false],
  ] as const) {
    const { client, server } = await start(t, handshake, answering({ task: { taskId: "t" } }));
    if (taken) {
      assert.deepEqual(await client.request("s", AS_TASK, declaring({})), {
        kind: "complete",
        result: { task: { taskId: "t" } },
      });
      assert.deepEqual(server.calls()[0]?.message.params, AS_TASK.params);
    } else {
      const fault = await faultOf(client.request("s", AS_TASK, declaring({})));
      assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["TASK_NOT_SUPPORTED", 0, 0]);
    }
  }
});

test("over one connection for several requests, a question goes to whoever waits for its task, and to nobody else", async () => {
  const sent: JsonObject[] = [];
  const conversation = new Conversation();
  conversation.attach({
    send: async (text) => void sent.push(JSON.parse(text) as JsonObject),
    closed: new Promise(() => undefined),
    close: async () => undefined,
  });
  const asked: string[] = [];
  const peer = (name: string): Peer => ({
    ...declaring({ elicitation: {} }),
    ask: async () => {
      asked.push(name);
      return {};
    },
  });
  const waiting = [
    conversation.request("tasks/result", { taskId: "one" }, peer("one"), 1_000),
    conversation.request("tasks/result", { taskId: "two" }, peer("two"), 1_000),
  ];
  const question = (id: number, taskId: string): Promise<void> =>
    conversation.received({
      kind: "request",
      id,
      method: "elicitation/create",
      params: { _meta: { "io.modelcontextprotocol/related-task": { taskId } } },
    });
  await question(7, "one");
  await question(8, "nobody's");
  for (const id of [1, 2]) await conversation.received({ kind: "result", id, result: {} });
  await Promise.all(waiting);
  assert.deepEqual(asked, ["one"]);
  assert.deepEqual(
    sent.filter(({ id }) => id === 8).map(({ error }) => (error as JsonObject).code),
    [-32601],
  );
});
