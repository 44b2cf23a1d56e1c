import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  event,
  http,
  json,
  reply,
  type ScriptedRequest,
} from "../../testing/scripted-server.ts";
import { faultOf, forever, plainClient } from "../../testing/upstream.ts";
import type { UpstreamClient } from "../client.ts";

const OK: JsonObject = { content: [] };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const said = (data: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});

/** A server of this version whose answer to a call is this, in one piece. */
async function start(
  t: TestContext,
  version: string,
  answer: (request: ScriptedRequest) => string,
): Promise<UpstreamClient> {
  const server = await ScriptedServer.start(
    (request, socket) =>
      void socket.write(request.message.method === "tools/call" ? answer(request) : http(405, {}, "")),
  );
  server.handshake = {
    initialize: (request) =>
      json(reply(request, { protocolVersion: version, capabilities: {}, serverInfo: { name: "s", version: "1" } })),
  };
  const client = plainClient(t, server.url, server.dial);
  t.after(() => server.close());
  return client;
}

const asJson = (messages: JsonValue): string =>
  http(200, { "content-type": "application/json" }, JSON.stringify(messages));
const asEvent = (messages: JsonValue): string =>
  `${EVENT_STREAM}${chunk(`data: ${JSON.stringify(messages)}\n\n`)}0\r\n\r\n`;
const refused = async (client: UpstreamClient): Promise<unknown> =>
  (await faultOf(client.request("s", CALL, silentPeer(forever)))).code;

for (const [name, piece] of [
  ["a body", asJson],
  ["an event", asEvent],
] as const) {
  test(`${name} of a 2025-03-26 server may be a batch, whose messages are read in their order`, async (t) => {
    const heard: unknown[] = [];
    const router: Peer = {
      ...silentPeer(forever),
      wantsLog: true,
      notify: async (_, { data }) => void heard.push(data),
    };
    const client = await start(t, "2025-03-26", (request) => piece([said("one"), said("two"), reply(request, OK)]));
    assert.deepEqual(await client.request("s", CALL, router), { kind: "complete", result: OK });
    assert.deepEqual(heard, ["one", "two"]);
  });

  test(`${name} of a later server may not`, async (t) => {
    assert.equal(
      await refused(await start(t, "2025-06-18", (request) => piece([reply(request, OK)]))),
      "UPSTREAM_PROTOCOL_ERROR",
    );
  });

  test(`${name} with too many messages, or something else among them, is refused whole`, async (t) => {
    for (const others of [Array.from({ length: 64 }, () => said("on")), [{ jsonrpc: "2.0" }], [[said("nested")]]]) {
      const client = await start(t, "2025-03-26", (request) => piece([reply(request, OK), ...others]));
      assert.equal(await refused(client), "UPSTREAM_PROTOCOL_ERROR");
    }
  });
}

test("a batch of nothing is refused, whatever comes after it", async (t) => {
  const client = await start(
    t,
    "2025-03-26",
    (request) => `${EVENT_STREAM}${chunk("data: []\n\n")}${event(reply(request, OK))}0\r\n\r\n`,
  );
  assert.equal(await refused(client), "UPSTREAM_PROTOCOL_ERROR");
});
