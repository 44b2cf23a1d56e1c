/** What a server sends in one piece over a channel, here that of the old HTTP with SSE. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  http,
  reply,
  type ScriptedRequest,
} from "../../testing/scripted-server.ts";
import { faultOf, forever } from "../../testing/upstream.ts";
import { ChannelClient } from "./client.ts";
import { httpSse } from "./http-sse.ts";

const OK: JsonObject = { content: [] };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
const BATCHING = "2025-03-26";
const said = (data: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});

/** What a server says to a request, in so many pieces. */
type Saying = (request: ScriptedRequest) => readonly JsonValue[];

interface Started {
  readonly client: ChannelClient;
  readonly server: ScriptedServer;
}

/**
 * A server of this version.
 * @param saying said to whatever is posted after the session was opened
 * @param opening said to `initialize`, around the answer
 */
async function start(
  t: TestContext,
  version: string,
  saying: Saying,
  opening: (answer: JsonObject) => readonly JsonValue[] = (answer) => [answer],
): Promise<Started> {
  let stream: Socket | undefined;
  const say = (pieces: readonly JsonValue[]): void =>
    void stream?.write(pieces.map((piece) => chunk(`data: ${JSON.stringify(piece)}\n\n`)).join(""));
  const server = await ScriptedServer.start((request, socket) => {
    if (request.method === "GET") {
      stream = socket;
      socket.write(EVENT_STREAM + chunk("event: endpoint\ndata: /messages\n\n"));
    } else {
      socket.write(http(202, {}, ""));
      say(saying(request));
    }
  });
  server.handshake = {
    initialize: (request) => {
      say(
        opening(
          reply(request, { protocolVersion: version, capabilities: {}, serverInfo: { name: "s", version: "1" } }),
        ),
      );
      return http(202, {}, "");
    },
  };
  const closing = new AbortController();
  const clientInfo = { name: "gateway", version: "1" };
  const open = httpSse({ url: server.url, dial: server.dial, tls: { mode: "none" }, clientInfo }, closing.signal);
  const client = new ChannelClient({ open: () => open, clientInfo });
  t.after(async () => {
    await client.close();
    closing.abort();
    await server.close();
  });
  return { client, server };
}

/** A caller that hears log messages and accepts every question. */
function router(heard: unknown[]): Peer {
  return {
    ...silentPeer(forever),
    capabilities: { elicitation: {} },
    wantsLog: true,
    notify: async (_, { data }) => void heard.push(data),
    ask: async () => ({ action: "accept" }),
  };
}

/** How a call ends that is answered with this, and what its caller has heard by then. */
async function refused({ client }: Started): Promise<unknown> {
  const heard: unknown[] = [];
  const { code } = await faultOf(client.request("s", CALL, router(heard)));
  return { code, heard, streams: client.load.streams };
}
const REFUSED = { code: "UPSTREAM_PROTOCOL_ERROR", heard: [], streams: 0 };

test("a batch of a 2025-03-26 server is read, its messages in their order", async (t) => {
  const others = Array.from({ length: 63 }, (_, index) => said(String(index)));
  const { client } = await start(t, BATCHING, (request) => [[...others, reply(request, OK)]]);
  const heard: unknown[] = [];
  assert.deepEqual(await client.request("s", CALL, router(heard)), { kind: "complete", result: OK });
  assert.deepEqual(
    heard,
    others.map((_, index) => String(index)),
  );
});

test("one batch answers several calls, and tells who listens", async (t) => {
  const calls: ScriptedRequest[] = [];
  const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
  const { client } = await start(t, BATCHING, (request) =>
    calls.push(request) === 2 ? [[changed, ...calls.map((call) => reply(call, OK))]] : [],
  );
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const told: string[] = [];
  void client.listen(
    "s",
    { toolsListChanged: true, promptsListChanged: false, resourcesListChanged: false, resourceSubscriptions: [] },
    (method) => void told.push(method),
    leaving.signal,
  );
  const answers = await Promise.all([1, 2].map(() => client.request("s", CALL, silentPeer(forever))));
  assert.deepEqual(
    [answers, told],
    [[1, 2].map(() => ({ kind: "complete", result: OK })), ["notifications/tools/list_changed"]],
  );
});

test("requests of a server within a batch are answered, each by itself", async (t) => {
  let call: ScriptedRequest | undefined;
  const answers: JsonObject[] = [];
  const asked = ["elicitation/create", "ping"].map((method, id) => ({
    jsonrpc: "2.0",
    id,
    method,
    params: { message: "which?" },
  }));
  const { client } = await start(t, BATCHING, (request) => {
    if (request.message.method === undefined)
      return call !== undefined && answers.push(request.message) === 2 ? [[reply(call, OK)]] : [];
    call = request;
    return [asked];
  });
  await client.request("s", CALL, router([]));
  assert.deepEqual(
    new Map(answers.map(({ id, result }) => [id, result])),
    new Map([
      [0, { action: "accept" }],
      [1, {}],
    ]),
  );
});

test("a batch with too many messages, none, or something else among them is refused whole", async (t) => {
  const batches: readonly ((answer: JsonObject) => JsonValue)[] = [
    (answer) => [...Array.from({ length: 64 }, () => said("on")), answer],
    () => [],
    (answer) => [said("before"), { jsonrpc: "2.0" }, answer],
    (answer) => [said("before"), [said("nested")], answer],
    (answer) => [[said("nested"), answer]],
    (answer) => [said("before"), null, answer],
  ];
  for (const batch of batches)
    assert.deepEqual(
      await refused(await start(t, BATCHING, (request) => [batch(reply(request, OK)), reply(request, OK)])),
      REFUSED,
    );
});

test("a batch of a server of any other version is refused", async (t) => {
  for (const version of ["2025-11-25", "2025-06-18", "2024-11-05"]) {
    assert.deepEqual(
      await refused(await start(t, version, (request) => [[said("on"), reply(request, OK)], reply(request, OK)])),
      REFUSED,
    );
  }
});

test("a batch is refused until the version is agreed on, and read from then on", { timeout: 20_000 }, async (t) => {
  const answering: Saying = (request) => (request.message.id === undefined ? [] : [reply(request, OK)]);
  for (const early of [(answer: JsonObject) => [[answer]], (answer: JsonObject) => [[said("early")], answer]]) {
    assert.deepEqual(await refused(await start(t, BATCHING, answering, early)), REFUSED);
  }
  const { client } = await start(t, BATCHING, answering, (answer) => [answer, [said("at once")]]);
  assert.deepEqual(await client.request("s", CALL, silentPeer(forever)), { kind: "complete", result: OK });
});
