import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { LogLevel } from "../log-level.ts";
import { silentPeer, type Peer } from "../peer.ts";
import { EVENT_STREAM, ScriptedServer, event, http, json, reply, type Script } from "../testing/scripted-server.ts";
import { forever, plainClient } from "../testing/upstream.ts";
import type { UpstreamClient } from "./client.ts";

const OK: JsonObject = { content: [] };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const said = (level: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level, data: level },
});

/** A legacy server with these capabilities. */
async function start(
  t: TestContext,
  script: Script,
  capabilities: JsonObject = { tools: {}, logging: {} },
): Promise<{ server: ScriptedServer; client: UpstreamClient }> {
  const server = await ScriptedServer.start(script);
  server.handshake = {
    initialize: (request) =>
      json(
        reply(request, { protocolVersion: "2025-11-25", capabilities, serverInfo: { name: "scripted", version: "1" } }),
        { "mcp-session-id": "s" },
      ),
  };
  const client = plainClient(t, server.url, server.dial);
  t.after(() => server.close());
  return { server, client };
}

function router(logLevel: LogLevel | null, heard: unknown[]): Peer {
  return { ...silentPeer(forever), wantsLog: true, logLevel, notify: async (_, { level }) => void heard.push(level) };
}

/** The server's own stream is not offered; a call says something of every kind. */
const chatty: Script = (request, socket) => {
  if (request.method === "GET") socket.write(http(405, {}, ""));
  else if (request.message.method === "tools/call")
    socket.write(
      `${EVENT_STREAM}${["debug", "info", "error"].map((level) => event(said(level))).join("")}${event(reply(request, OK))}0\r\n\r\n`,
    );
  else socket.write(json(reply(request, {})));
};

const levels = (server: ScriptedServer): unknown[] =>
  server.requests
    .filter(({ message }) => message.method === "logging/setLevel")
    .map(({ message }) => (message.params as JsonObject).level);

test("an agent's level reaches a legacy server before its call, and the agent hears no less severe message", async (t) => {
  const { server, client } = await start(t, chatty);
  const heard: unknown[] = [];
  await client.request("s", CALL, router("info", heard));
  assert.deepEqual([levels(server), heard], [["info"], ["info", "error"]]);
  const more: unknown[] = [];
  await client.request("s", CALL, router("debug", more));
  const asBefore: unknown[] = [];
  await client.request("s", CALL, router(null, asBefore));
  assert.deepEqual(
    [levels(server), more, asBefore],
    [
      ["info", "debug"],
      ["debug", "info", "error"],
      ["debug", "info", "error"],
    ],
  );
});

test("a server that does not log is not asked to", async (t) => {
  const { server, client } = await start(t, chatty, { tools: {} });
  await client.request("s", CALL, router("info", []));
  assert.deepEqual(levels(server), []);
});

test("what a legacy server logs on its own stream reaches the call of the agent that named a level", async (t) => {
  const logged = Promise.withResolvers<void>();
  const { client } = await start(t, (request, socket) => {
    const more = { ...said("error"), params: { level: "error", data: "error", note: "more", _meta: { note: "more" } } };
    if (request.method === "GET") socket.write(EVENT_STREAM + event(said("debug")) + event(more));
    else if (request.message.method === "tools/call")
      void logged.promise.then(() => socket.write(json(reply(request, OK))));
    else socket.write(json(reply(request, {})));
  });
  const heard: unknown[] = [];
  await client.request("s", CALL, {
    ...router("warning", heard),
    notify: async (_, params) => {
      heard.push(params);
      logged.resolve();
    },
  });
  assert.deepEqual(heard, [{ level: "error", data: "error" }]);
});
