import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { http, json, reply, type Handshake } from "../testing/scripted-server.ts";
import { faultOf, plainClient, toolNamed } from "../testing/upstream.ts";
import {
  answer,
  call,
  COMPLETE,
  discovered,
  JSON_TYPE,
  methods,
  OK,
  refusal,
  start,
} from "../testing/modern-upstream.ts";

test("concurrent first calls share one probe", async (t) => {
  const { client, server } = await start(t, answer(COMPLETE));
  await Promise.all(["a", "b", "c"].map((key) => call(client, "tool", key)));
  assert.equal(methods(server).filter((method) => method === "server/discover").length, 1);
});

const legacyAnswers: Record<string, NonNullable<Handshake["discover"]>> = {
  "an unknown method": (request) => refusal(request, 200, -32601),
  "HTTP 400 and words": () => http(400, { "content-type": "text/plain" }, "Bad Request: Server not initialized"),
  "HTTP 400 and an error without an id": () =>
    http(400, JSON_TYPE, JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message: "no session" } })),
  "HTTP 404": () => http(404, {}, ""),
  "HTTP 202 and nothing": () => http(202, {}, ""),
  "HTTP 500": () => http(500, {}, ""),
  "a redirect": () => http(307, { location: "http://127.0.0.1:1/" }, ""),
  "a result that lists nothing": (request) => json(reply(request, {})),
  "only versions of the other era": (request) => discovered(request, ["2025-11-25"]),
  "only a version from the future": (request) => discovered(request, ["2027-01-01"]),
  "-32022": (request) => refusal(request, 400, -32022),
  "something that is not MCP": () => http(200, JSON_TYPE, "<html>"),
};
for (const [name, discover] of Object.entries(legacyAnswers)) {
  test(`a server that answers the probe with ${name} is spoken to in the legacy era, and asked once`, async (t) => {
    const { client, server } = await start(t, answer(OK), { discover });
    assert.deepEqual(await call(client), OK);
    assert.deepEqual(await call(client), OK);
    assert.deepEqual(methods(server), [
      "server/discover",
      "initialize",
      "notifications/initialized",
      "tools/call",
      "tools/call",
    ]);
    assert.ok(
      server
        .calls()
        .every(
          ({ headers, message }) =>
            headers.get("mcp-session-id") === "session-1" && !("_meta" in (message.params as JsonObject)),
        ),
    );
  });
}

test("a server that never answers the probe is spoken to in the legacy era, and nothing hangs", async (t) => {
  const { client, server } = await start(t, answer(OK), { discover: () => "" }, { headersMs: 200 });
  assert.deepEqual(await call(client), OK);
  assert.equal(server.calls().length, 1);
});

test("a server that cannot be reached for the probe gets no call, and is asked again by the next", async (t) => {
  const { client, server } = await start(t, answer(COMPLETE));
  server.reachable = false;
  const fault = await faultOf(call(client));
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_UNAVAILABLE", 0]);
  server.reachable = true;
  server.handshake = { discover: () => http(503, {}, "") };
  const busy = await faultOf(call(client));
  assert.deepEqual([busy.code, busy.detail.sent], ["UPSTREAM_UNAVAILABLE", 0]);
  server.handshake = { discover: discovered };
  assert.deepEqual(await call(client), OK);
});

test("a relay that does not connect in time is waited for once, not for each era", async (t) => {
  let dialled = 0;
  const dial = (): Promise<never> => {
    dialled += 1;
    return new Promise(() => undefined);
  };
  const fault = await faultOf(call(plainClient(t, new URL("http://127.0.0.1:9/mcp"), dial, { connectMs: 20 })));
  assert.deepEqual([fault.code, fault.detail.sent, dialled], ["UPSTREAM_TIMEOUT", 0, 1]);
});

test("a caller that leaves during the probe leaves the others waiting for it in peace", async (t) => {
  const { client, server } = await start(t, answer(COMPLETE), { discover: () => "" });
  const going = new AbortController();
  const left = faultOf(client.callTool("s", toolNamed("tool"), {}, going.signal));
  const stays = call(client);
  const probe = await server.arrival(({ message }) => message.method === "server/discover");
  going.abort();
  const fault = await left;
  assert.deepEqual([fault.code, fault.detail.sent], ["REQUEST_CANCELLED", 0]);
  for (const socket of server.sockets) socket.write(discovered(probe));
  assert.deepEqual(await stays, OK);
  assert.equal(server.calls().length, 1);
});

for (const status of [400, 200]) {
  test(`a legacy server that comes back as a modern one and says so under HTTP ${status} is asked again, and the call it refused is sent once more`, async (t) => {
    let modern = false;
    const { client, server } = await start(
      t,
      (request, socket) => {
        const enveloped = request.headers.get("mcp-protocol-version") === "2026-07-28";
        socket.write(modern === enveloped ? json(reply(request, COMPLETE)) : refusal(request, status, -32022));
      },
      {},
    );
    assert.deepEqual(await call(client), COMPLETE);
    modern = true;
    server.handshake = { discover: discovered, initialize: (request) => refusal(request, 400, -32022) };
    assert.deepEqual(await call(client), OK);
    assert.deepEqual(await call(client, "tool", "another session"), OK);
    assert.deepEqual(methods(server).slice(4), ["tools/call", "server/discover", "tools/call", "tools/call"]);
  });
}

test("a legacy server that comes back as a modern one is found out by a session that cannot be opened", async (t) => {
  const { client, server } = await start(t, answer(COMPLETE), {});
  await call(client);
  server.handshake = { discover: discovered, initialize: (request) => refusal(request, 200, -32601) };
  assert.deepEqual(await call(client, "tool", "another session"), OK);
  assert.deepEqual(methods(server).slice(4), ["initialize", "server/discover", "tools/call"]);
});

test("who listens at a legacy server without a stream of its own listens in the modern era once the server comes back so", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) =>
      void socket.write(request.method === "GET" ? http(405, {}, "") : json(reply(request, COMPLETE))),
    {},
  );
  const leaving = new AbortController();
  const listening = client.listen(
    "s",
    { toolsListChanged: true, promptsListChanged: false, resourcesListChanged: false, resourceSubscriptions: [] },
    () => undefined,
    leaving.signal,
  );
  await server.arrival(({ method }) => method === "GET");
  server.handshake = { discover: discovered, initialize: (request) => refusal(request, 200, -32601) };
  await call(client, "tool", "another session");
  await server.arrival(({ message }) => message.method === "subscriptions/listen");
  leaving.abort();
  await listening;
});

for (const [name, id] of [
  ["with the request's id", undefined],
  ["without an id", null],
] as const) {
  test(`a modern server that comes back as a legacy one and refuses ${name} is asked again`, async (t) => {
    let legacy = false;
    const { client, server } = await start(t, (request, socket) => {
      const error = {
        jsonrpc: "2.0",
        id: id === undefined ? (request.message.id ?? null) : id,
        error: { code: -32000, message: "Bad Request: no valid session" },
      };
      socket.write(
        legacy && !request.headers.has("mcp-session-id")
          ? http(400, JSON_TYPE, JSON.stringify(error))
          : json(reply(request, COMPLETE)),
      );
    });
    await call(client);
    legacy = true;
    server.handshake = {};
    assert.deepEqual(await call(client), COMPLETE);
    assert.deepEqual(methods(server).slice(1), [
      "tools/call",
      "tools/call",
      "server/discover",
      "initialize",
      "notifications/initialized",
      "tools/call",
    ]);
  });
}

test("a call that may have run is not sent again: the era is asked for by the next one", async (t) => {
  let legacy = false;
  const { client, server } = await start(t, (request, socket) => {
    socket.write(legacy && !request.headers.has("mcp-session-id") ? http(404, {}, "") : json(reply(request, COMPLETE)));
  });
  await call(client);
  legacy = true;
  server.handshake = {};
  const fault = await faultOf(call(client));
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_PROTOCOL_ERROR", 1]);
  assert.equal(server.calls().length, 2);
  assert.deepEqual(await call(client), COMPLETE);
});

test("a server that refuses its own era is believed: one call, one more question, no loop", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(refusal(request, 400, -32022)));
  const fault = await faultOf(call(client));
  assert.deepEqual([fault.code, fault.detail.rpc_code, fault.detail.sent], ["UPSTREAM_CALL_REFUSED", -32022, 1]);
  assert.deepEqual(methods(server), ["server/discover", "tools/call", "server/discover"]);
});

test("a fault after a change of era still says that the call was sent", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    server.handshake = { initialize: () => http(500, {}, "") };
    socket.write(refusal(request, 400, -32022));
  });
  const fault = await faultOf(call(client));
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_PROTOCOL_ERROR", 1]);
});

test("a refused call that shows no other era asks nothing again", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(refusal(request, 400, -32602)));
  await faultOf(call(client));
  await faultOf(call(client));
  assert.deepEqual(methods(server), ["server/discover", "tools/call", "tools/call"]);
});
