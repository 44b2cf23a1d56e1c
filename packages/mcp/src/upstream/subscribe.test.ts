import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer } from "../peer.ts";
import {
  EVENT_STREAM,
  event,
  gone,
  http,
  json,
  reply,
  type Handshake,
  type Script,
} from "../testing/scripted-server.ts";
import { faultOf, forever, start as startScripted } from "../testing/upstream.ts";
import type { UpstreamClient } from "./client.ts";

const MODERN: Handshake = {
  discover: (request) =>
    json(
      reply(request, {
        supportedVersions: ["2026-07-28"],
        capabilities: { resources: { subscribe: true } },
        ttlMs: 0,
        cacheScope: "private",
      }),
    ),
};
const REQUEST = { method: "resources/subscribe", params: { uri: "a:x" } };

const start = (t: TestContext, handshake: Handshake, script: Script): ReturnType<typeof startScripted> =>
  startScripted(t, script, {}, handshake);

const subscribe = (client: UpstreamClient, followed: readonly string[] = []): Promise<void> =>
  client.subscribe("s", REQUEST, followed, silentPeer(forever));
const refusal = (id: unknown): JsonObject => ({
  jsonrpc: "2.0",
  id: id as number,
  error: { code: -32601, message: "Method not found" },
});

test("a legacy server is asked in the session, and its refusal is the answer", async (t) => {
  let refuses = false;
  const { client, server } = await start(
    t,
    {},
    (request, socket) => void socket.write(json(refuses ? refusal(request.message.id) : reply(request, {}))),
  );
  await subscribe(client);
  const asked = server.requests.at(-1);
  assert.deepEqual(
    [asked?.message.method, asked?.message.params, asked?.headers.get("mcp-session-id")],
    [REQUEST.method, REQUEST.params, "session-1"],
  );
  refuses = true;
  const fault = await faultOf(subscribe(client));
  assert.deepEqual([fault.code, fault.detail.sent, fault.detail.rpc_code], ["UPSTREAM_CALL_REFUSED", 1, -32601]);
});

/** What a modern server says on a stream that was asked for, before it ends. */
const saying =
  (say: (id: JsonObject[string], filter: JsonObject) => readonly JsonObject[]): Script =>
  (request, socket) => {
    const { id = null, params } = request.message;
    const filter = (params as { notifications: JsonObject }).notifications;
    socket.write(
      EVENT_STREAM +
        say(id, filter)
          .map((message) => event(message))
          .join("") +
        "0\r\n\r\n",
    );
  };
const acknowledgement = (id: JsonObject[string], notifications: JsonObject): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/subscriptions/acknowledged",
  params: { notifications, _meta: { "io.modelcontextprotocol/subscriptionId": id } },
});

test("a modern server is asked by a subscription to all that is followed there, which ends once it is acknowledged", async (t) => {
  let dropped: Promise<unknown> = Promise.resolve();
  const filters: unknown[] = [];
  const { client } = await start(t, MODERN, (request, socket) => {
    dropped = gone(socket);
    const { id = null, params } = request.message;
    const filter = (params as { notifications: JsonObject }).notifications;
    filters.push(filter);
    socket.write(EVENT_STREAM + event(acknowledgement(id, filter)));
  });
  await subscribe(client, ["a:y"]);
  await dropped;
  assert.deepEqual(filters, [{ resourceSubscriptions: ["a:y", "a:x"] }]);
});

for (const [name, script, code] of [
  [
    "leaves the resource out of its acknowledgement",
    saying((id) => [acknowledgement(id, { resourceSubscriptions: ["a:y"] })]),
    "UPSTREAM_CALL_REFUSED",
  ],
  ["acknowledges nothing at all", saying((id) => [acknowledgement(id, {})]), "UPSTREAM_CALL_REFUSED"],
  ["answers with an error", saying((id) => [refusal(id)]), "UPSTREAM_CALL_REFUSED"],
  [
    "answers HTTP 404 with an error",
    ({ message }, socket) =>
      void socket.write(http(404, { "content-type": "application/json" }, JSON.stringify(refusal(message.id)))),
    "UPSTREAM_CALL_REFUSED",
  ],
  ["answers HTTP 503", (_, socket) => void socket.write(http(503, {}, "")), "UPSTREAM_UNAVAILABLE"],
  [
    "acknowledges another's subscription",
    saying((_, filter) => [acknowledgement(999, filter)]),
    "UPSTREAM_PROTOCOL_ERROR",
  ],
  [
    "says something else first",
    saying((id, filter) => [
      {
        jsonrpc: "2.0",
        method: "notifications/resources/updated",
        params: { uri: "a:x", _meta: { "io.modelcontextprotocol/subscriptionId": id } },
      },
      acknowledgement(id, filter),
    ]),
    "UPSTREAM_PROTOCOL_ERROR",
  ],
  ["ends before it acknowledges", saying(() => []), "UPSTREAM_PROTOCOL_ERROR"],
] as const satisfies readonly (readonly [string, Script, string])[]) {
  test(`a modern server that ${name} has not taken a subscription`, async (t) => {
    const { client } = await start(t, MODERN, script);
    const fault = await faultOf(subscribe(client, ["a:y"]));
    assert.deepEqual([fault.code, fault.detail.sent], [code, 1]);
  });
}
