import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { UpstreamClient, UpstreamLimits } from "../index.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  event,
  gone,
  http,
  json,
  reply,
  type Handshake,
  type Script,
  type ScriptedRequest,
} from "../testing/scripted-server.ts";
import { faultOf, forever, plainClient, toolNamed } from "../testing/upstream.ts";

const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };
const COMPLETE: JsonObject = { ...OK, resultType: "complete" };
const JSON_TYPE = { "content-type": "application/json" };

function discovered(request: ScriptedRequest, supportedVersions: string[] = ["2026-07-28"]): string {
  return json(
    reply(request, {
      supportedVersions,
      capabilities: { tools: {} },
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
    }),
  );
}

function refusal({ message }: ScriptedRequest, status: number, code: number): string {
  return http(
    status,
    JSON_TYPE,
    JSON.stringify({ jsonrpc: "2.0", id: message.id ?? null, error: { code, message: "secret text" } }),
  );
}

async function start(
  t: TestContext,
  script: Script,
  handshake: Handshake = { discover: discovered },
  limits: Partial<UpstreamLimits> = {},
): Promise<{ server: ScriptedServer; client: UpstreamClient }> {
  const server = await ScriptedServer.start(script);
  server.handshake = handshake;
  const client = plainClient(t, server.url, server.dial, limits);
  t.after(() => server.close());
  return { server, client };
}

const answer =
  (result: JsonObject): Script =>
  (request, socket) =>
    void socket.write(json(reply(request, result)));
const call = (client: UpstreamClient, name = "tool", key = "s"): Promise<JsonObject> =>
  client.callTool(key, toolNamed(name), {}, forever);
const methods = (server: ScriptedServer): unknown[] => server.requests.map(({ message }) => message.method);

test("a modern server gets the whole envelope and its headers with every request, and no session", async (t) => {
  const { client, server } = await start(t, answer(COMPLETE));
  const schema = { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } };
  const args = { region: "us", n: 1.5 };
  assert.deepEqual(await client.callTool("a", { name: "größe", inputSchema: schema }, args, forever), OK);
  await client.callTool("b", toolNamed("tool"), {}, forever);
  await client.closeSession("a");
  assert.deepEqual(methods(server), ["server/discover", "tools/call", "tools/call"]);
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "gateway", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const [probe, first] = server.requests;
  assert.deepEqual(probe?.message.params, { _meta: envelope });
  assert.deepEqual(first?.message.params, { name: "größe", arguments: args, _meta: envelope });
  const sent = [
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-param-region",
    "mcp-session-id",
    "accept",
    "accept-encoding",
  ].map((name) => first?.headers.get(name));
  assert.deepEqual(sent, [
    "2026-07-28",
    "tools/call",
    "=?base64?Z3LDtsOfZQ==?=",
    "us",
    undefined,
    "application/json, text/event-stream",
    "identity",
  ]);
  assert.ok(
    server.requests.every(
      ({ headers, method }) => method === "POST" && headers.get("mcp-protocol-version") === "2026-07-28",
    ),
  );
});

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

test("a result without a type is complete; what is asked of the agent, or of a type nobody knows, is a fault", async (t) => {
  let result: JsonObject = OK;
  const { client } = await start(t, (request, socket) => void socket.write(json(reply(request, result))));
  assert.deepEqual(await call(client), OK);
  result = {
    resultType: "input_required",
    inputRequests: { a: { method: "elicitation/create", params: {} } },
    requestState: "s",
  };
  const asks = await faultOf(call(client));
  assert.deepEqual([asks.code, asks.detail.sent], ["UPSTREAM_INPUT_REQUIRED", 1]);
  for (const resultType of ["task", 1, null]) {
    result = { ...OK, resultType };
    const fault = await faultOf(call(client));
    assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_PROTOCOL_ERROR", 1]);
  }
});

const modernFaults: Record<string, { script: Script; code: string; rpc?: number }> = {
  "a JSON-RPC error": {
    script: (request, socket) => void socket.write(refusal(request, 200, -32602)),
    code: "UPSTREAM_CALL_REFUSED",
    rpc: -32602,
  },
  "HTTP 400 and -32602": {
    script: (request, socket) => void socket.write(refusal(request, 400, -32602)),
    code: "UPSTREAM_CALL_REFUSED",
    rpc: -32602,
  },
  "HTTP 400 and -32020": {
    script: (request, socket) => void socket.write(refusal(request, 400, -32020)),
    code: "UPSTREAM_CALL_REFUSED",
    rpc: -32020,
  },
  "HTTP 400 and -32021": {
    script: (request, socket) => void socket.write(refusal(request, 400, -32021)),
    code: "UPSTREAM_CALL_REFUSED",
    rpc: -32021,
  },
  "HTTP 404 and -32601": {
    script: (request, socket) => void socket.write(refusal(request, 404, -32601)),
    code: "UPSTREAM_CALL_REFUSED",
    rpc: -32601,
  },
  "HTTP 400 and another request's id": {
    script: (_, socket) =>
      void socket.write(http(400, JSON_TYPE, '{"jsonrpc":"2.0","id":999,"error":{"code":-32602,"message":""}}')),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "HTTP 400 and a result": {
    script: (request, socket) => void socket.write(http(400, JSON_TYPE, JSON.stringify(reply(request, OK)))),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "HTTP 500 and a result": {
    script: (request, socket) => void socket.write(http(500, JSON_TYPE, JSON.stringify(reply(request, OK)))),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "HTTP 500 and an error": {
    script: (request, socket) => void socket.write(refusal(request, 500, -32603)),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "HTTP 503": { script: (_, socket) => void socket.write(http(503, {}, "")), code: "UPSTREAM_UNAVAILABLE" },
  "a redirect": {
    script: (_, socket) => void socket.write(http(307, { location: "http://127.0.0.1:1/" }, "")),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "another id": {
    script: (request, socket) => void socket.write(json({ ...reply(request, OK), id: 999 })),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "a request of its own": {
    script: (request, socket) =>
      void socket.write(
        EVENT_STREAM + event({ jsonrpc: "2.0", id: 1, method: "ping" }) + event(reply(request, OK)) + "0\r\n\r\n",
      ),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  "a stream that ends without a reply": {
    script: (_, socket) => void socket.write(`${EVENT_STREAM}0\r\n\r\n`),
    code: "UPSTREAM_PROTOCOL_ERROR",
  },
  nothing: { script: () => undefined, code: "UPSTREAM_TIMEOUT" },
  "a closed connection": { script: (_, socket) => void socket.end(), code: "UPSTREAM_UNAVAILABLE" },
};
for (const [name, { script, code, rpc }] of Object.entries(modernFaults)) {
  test(`a modern server that answers a call with ${name}: one call, its fault, and the next one works`, async (t) => {
    let met = false;
    const { client, server } = await start(
      t,
      (request, socket) => {
        if (met) socket.write(json(reply(request, COMPLETE)));
        else script(request, socket);
        met = true;
      },
      { discover: discovered },
      { headersMs: 300 },
    );
    const fault = await faultOf(call(client));
    assert.deepEqual([fault.code, fault.detail.sent, fault.detail.rpc_code], [code, 1, rpc], fault.message);
    assert.doesNotMatch(fault.message, /secret/);
    assert.equal(server.calls().length, 1);
    assert.deepEqual(await call(client), OK);
  });
}

test("the connection of a modern answer that was refused is dropped", async (t) => {
  let dropped: Promise<unknown> = Promise.resolve();
  const { client } = await start(t, (request, socket) => {
    dropped = gone(socket);
    socket.write(EVENT_STREAM + event({ ...reply(request, OK), id: 999 }));
  });
  assert.equal((await faultOf(call(client))).code, "UPSTREAM_PROTOCOL_ERROR");
  await dropped;
});

test("progress before the answer is passed over", async (t) => {
  const { client } = await start(
    t,
    (request, socket) =>
      void socket.write(
        EVENT_STREAM +
          event({ jsonrpc: "2.0", method: "notifications/progress", params: {} }) +
          event(reply(request, COMPLETE)) +
          "0\r\n\r\n",
      ),
  );
  assert.deepEqual(await call(client), OK);
});

test("an abort closes the stream and says no more, for that is how this era cancels", async (t) => {
  let dropped: Promise<unknown> = Promise.resolve();
  const { client, server } = await start(t, (_, socket) => {
    dropped = gone(socket);
    socket.write(EVENT_STREAM);
  });
  const going = new AbortController();
  const left = faultOf(client.callTool("s", toolNamed("tool"), {}, going.signal));
  await server.arrival(({ message }) => message.method === "tools/call");
  going.abort();
  const fault = await left;
  assert.deepEqual([fault.code, fault.detail.sent], ["REQUEST_CANCELLED", 1]);
  await dropped;
  await client.close();
  assert.deepEqual(methods(server), ["server/discover", "tools/call"]);
});

test("modern tools are listed over all pages, in requests that each stand alone", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    const { cursor } = request.message.params as JsonObject;
    const page = cursor === undefined ? { tools: [{ name: "a" }], nextCursor: "2" } : { tools: [{ name: "b" }] };
    socket.write(json(reply(request, { ...page, resultType: "complete", ttlMs: 0, cacheScope: "public" })));
  });
  assert.deepEqual(await client.listTools("s", forever), [{ name: "a" }, { name: "b" }]);
  assert.deepEqual(
    server.requests.slice(1).map(({ headers }) => [headers.get("mcp-method"), headers.has("mcp-name")]),
    [
      ["tools/list", false],
      ["tools/list", false],
    ],
  );
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
