import assert from "node:assert/strict";
import { test } from "node:test";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../peer.ts";
import { initialized, scripted, type ScriptedChannel } from "../testing/scripted-channel.ts";
import { EVENT_STREAM, event, http, json, reply, type Handshake } from "../testing/scripted-server.ts";
import { forever, start } from "../testing/upstream.ts";
import { ChannelClient } from "./channel/client.ts";

const END = "0\r\n\r\n";
const MODERN: Handshake = {
  discover: (request) =>
    json(reply(request, { supportedVersions: ["2026-07-28"], capabilities: {}, ttlMs: 0, cacheScope: "private" })),
};
const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const CANCEL = { method: "tasks/cancel", params: { taskId: "t" } };
const GET = { method: "tasks/get", params: { taskId: "t" } };

function paramsOf(message: JsonObject | undefined): JsonObject {
  const params = message?.params;
  assert.ok(isJsonObject(params));
  return params;
}

/** An agent that wants to hear everything and can be asked anything, and what reached it. */
function eager(): { readonly peer: Peer; readonly heard: string[] } {
  const heard: string[] = [];
  const peer: Peer = {
    ...silentPeer(forever),
    capabilities: { elicitation: { url: {} }, sampling: { tools: {} }, roots: {}, ...TASKS },
    progressToken: 1,
    wantsLog: true,
    logLevel: "debug",
    input: "ask",
    notify: async (method) => void heard.push(method),
    ask: async (method) => {
      heard.push(method);
      return {};
    },
  };
  return { peer, heard };
}

const said: readonly JsonObject[] = [
  { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 2, progress: 1, message: "secret" } },
  { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "secret" } },
];
const question: JsonObject = { jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "secret?" } };

test("a modern server hears of a cancellation with fixed capabilities, and nothing that it says meanwhile comes back", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) => socket.write(EVENT_STREAM + said.map(event).join("") + event(reply(request, {})) + END),
    {},
    MODERN,
  );
  const agent = eager();
  await client.request("s", CANCEL, agent.peer);
  const { params } = server.requests.at(-1)?.message ?? {};
  assert.deepEqual(params, {
    taskId: "t",
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "gateway", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": TASKS,
    },
  });
  assert.deepEqual(agent.heard, []);
  await client.request("s", GET, agent.peer);
  assert.deepEqual(agent.heard, ["notifications/message"], "what is decided is heard");
});

test("a legacy server is asked to cancel without a word of the agent's, and can neither tell nor ask it", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") return void socket.write(http(405, {}, ""));
    if (request.message.method === undefined) return void socket.write(http(202, {}, ""));
    socket.write(EVENT_STREAM + said.map(event).join("") + event(question) + event(reply(request, {})) + END);
  });
  const agent = eager();
  await client.request("s", CANCEL, agent.peer);
  const opened = server.requests.find(({ message }) => message.method === "initialize");
  assert.deepEqual(paramsOf(opened?.message).capabilities, {});
  assert.deepEqual(server.requests.find(({ message }) => message.method === "tasks/cancel")?.message.params, {
    taskId: "t",
  });
  assert.ok(!server.requests.some(({ message }) => message.method === "logging/setLevel"));
  assert.deepEqual(agent.heard, []);
});

test("a session that a cancellation opened declares nothing that a later agent of it would be held to", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    if (request.method === "GET") return void socket.write(http(405, {}, ""));
    const lost = request.headers.get("mcp-session-id") === "session-1" && request.message.method === "tasks/get";
    socket.write(lost ? http(404, {}, "") : json(reply(request, {})));
  });
  const agent = eager();
  await client.request("s", CANCEL, agent.peer);
  await client.request("s", GET, agent.peer);
  const opened = server.requests.filter(({ message }) => message.method === "initialize");
  assert.deepEqual(
    opened.map(({ message }) => Object.keys(paramsOf(message).capabilities as JsonObject)),
    [[], ["elicitation", "sampling", "roots", "extensions"]],
  );
});

test("over a channel a cancellation declares what the session's agent had declared, and nothing comes back", async () => {
  const opened: ScriptedChannel[] = [];
  const client = new ChannelClient({
    open: () => scripted(opened, initialized({ logging: {} })),
    clientInfo: { name: "gateway", version: "1" },
  });
  const agent = eager();
  await client.request("s", CANCEL, agent.peer);
  const sent = opened[0]?.sent ?? [];
  assert.deepEqual(paramsOf(sent[0]).capabilities, {});
  assert.deepEqual(
    sent.slice(2).map(({ method, params }) => [method, params]),
    [["tasks/cancel", { taskId: "t" }]],
  );
  await client.request("s", GET, agent.peer);
  assert.ok(
    opened[0]?.sent.some(({ method }) => method === "logging/setLevel"),
    "what is decided may set the level",
  );
  await client.close();
});

test("of what a request's _meta holds a server hears trace context alone, and of capabilities the closed shape", async (t) => {
  const { client, server } = await start(t, (request, socket) => socket.write(json(reply(request, {}))), {}, MODERN);
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const capabilities = { roots: { marker: 1 }, marker: {} } as unknown as Peer["capabilities"];
  await client.request(
    "s",
    { method: "tasks/get", params: { taskId: "t", _meta: { traceparent, marker: 1, progressToken: "agent's" } } },
    { ...silentPeer(forever), capabilities, progressToken: 1 },
  );
  const meta = paramsOf(server.requests.at(-1)?.message)._meta as JsonObject;
  assert.doesNotMatch(JSON.stringify(meta), /marker|agent's/);
  assert.deepEqual(
    [meta.traceparent, meta["io.modelcontextprotocol/clientCapabilities"], typeof meta.progressToken],
    [traceparent, { roots: {} }, "number"],
  );
});
