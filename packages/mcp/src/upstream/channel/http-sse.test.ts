import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { silentPeer } from "../../peer.ts";
import type { UpstreamLimits } from "../options.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  event,
  http,
  reply,
  type ScriptedRequest,
} from "../../testing/scripted-server.ts";
import { faultOf, forever } from "../../testing/upstream.ts";
import { ChannelClient } from "./client.ts";
import { httpSse } from "./http-sse.ts";

const CLIENT_INFO = { name: "gateway", version: "1" };
const CALL = { method: "tools/call", params: { name: "tool", arguments: {} } };
/** Streams of one server that may stay open. */
const MAX_STREAMS = 256;

/** A server of MCP 2024-11-05 that answers on the one stream it was asked for last. */
async function start(
  t: TestContext,
  take: (request: ScriptedRequest, answer: () => void) => void,
  limits: Partial<UpstreamLimits> = {},
): Promise<ChannelClient> {
  let stream: Socket | undefined;
  const respond = (request: ScriptedRequest, socket: Socket, result = {}): void => {
    socket.write(http(202, {}, ""));
    stream?.write(event(reply(request, result)));
  };
  const server = await ScriptedServer.start((request, socket) => {
    if (request.method === "GET") {
      stream = socket;
      socket.write(EVENT_STREAM + chunk("event: endpoint\ndata: /messages\n\n"));
    } else {
      take(request, () => respond(request, socket));
    }
  });
  server.handshake = {
    initialize: (request) => {
      stream?.write(
        event(
          reply(request, {
            protocolVersion: "2024-11-05",
            capabilities: {},
            serverInfo: { name: "scripted", version: "1" },
          }),
        ),
      );
      return http(202, {}, "");
    },
  };
  const closing = new AbortController();
  const open = httpSse(
    {
      url: server.url,
      dial: server.dial,
      tls: { mode: "none" },
      clientInfo: CLIENT_INFO,
      limits,
    },
    closing.signal,
  );
  const client = new ChannelClient({ open: () => open, clientInfo: CLIENT_INFO });
  t.after(async () => {
    await client.close();
    closing.abort();
    await server.close();
  });
  return client;
}

test("streams of idle sessions take no message's connection", { timeout: 20_000 }, async (t) => {
  const client = await start(t, (_, answer) => answer(), { maxConnections: 1 });
  for (const session of ["a", "b", "b"])
    assert.deepEqual(await client.request(session, CALL, silentPeer(forever)), { kind: "complete", result: {} });
  assert.equal(client.load.streams, 2);
});

test("a server has so many streams, and one more is refused", { timeout: 60_000 }, async (t) => {
  const client = await start(t, (_, answer) => answer());
  for (let session = 0; session < MAX_STREAMS; session += 1)
    await client.request(`s${session}`, CALL, silentPeer(forever));
  assert.equal(client.load.streams, MAX_STREAMS);
  const fault = await faultOf(client.request("one more", CALL, silentPeer(forever)));
  assert.deepEqual([fault.code, fault.detail.sent], ["OVERLOADED", 0]);
});

test("a message that the server does not take ends with its caller, and the connection goes on", {
  timeout: 20_000,
}, async (t) => {
  let taken = 0;
  const arrived = Promise.withResolvers<void>();
  const client = await start(t, (_, answer) => {
    taken += 1;
    if (taken > 1) answer();
    else arrived.resolve();
  });
  const leaving = new AbortController();
  const call = faultOf(client.request("s", CALL, silentPeer(leaving.signal)));
  await arrived.promise;
  leaving.abort();
  const fault = await call;
  assert.deepEqual([fault.code, fault.detail.sent], ["REQUEST_CANCELLED", 1]);
  assert.deepEqual(await client.request("s", CALL, silentPeer(forever)), { kind: "complete", result: {} });
  assert.equal(client.load.streams, 1);
});

test("a server that never says where to post to is waited for until the signal aborts", {
  timeout: 20_000,
}, async (t) => {
  const asked = Promise.withResolvers<void>();
  const server = await ScriptedServer.start((_, socket) => {
    socket.write(EVENT_STREAM);
    asked.resolve();
  });
  const closing = new AbortController();
  t.after(async () => {
    closing.abort();
    await server.close();
  });
  const options = { url: server.url, dial: server.dial, tls: { mode: "none" }, clientInfo: CLIENT_INFO } as const;
  const open = httpSse(options, closing.signal);
  const receiver = { batches: false, received: () => Promise.resolve() };
  const opening = new AbortController();
  const opened = faultOf(open(receiver, opening.signal));
  await asked.promise;
  opening.abort(new DOMException("too late", "TimeoutError"));
  assert.equal((await opened).code, "UPSTREAM_TIMEOUT");
});
