import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { EVENT_STREAM, event, gone, http, json, reply, type Script } from "../../testing/scripted-server.ts";
import { faultOf, forever, toolNamed } from "../../testing/upstream.ts";
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
} from "../../testing/modern-upstream.ts";

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
