import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient } from "../index.ts";
import {
  EVENT_STREAM,
  chunk,
  event,
  gone,
  http,
  json,
  reply,
  type ScriptedRequest,
} from "../testing/scripted-server.ts";
import { faultOf, forever, start, toolNamed } from "../testing/upstream.ts";

const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };

test("a call carries exactly the decided arguments, in the negotiated session", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(json(reply(request, OK))));
  const args = { path: "/a", nested: { list: [1, 2.5, "ü", null, true] } };
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), args, forever), OK);
  const [call] = server.calls();
  assert.deepEqual(call?.message.params, { name: "tool", arguments: args });
  assert.equal(call?.headers.get("mcp-session-id"), "session-1");
  assert.equal(call?.headers.get("mcp-protocol-version"), "2025-11-25");
  assert.equal(call?.headers.get("accept-encoding"), "identity");
});

test("initialize comes first and once for concurrent calls; gateway sessions do not share an upstream session", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(json(reply(request, OK))));
  await Promise.all([
    client.callTool("a", toolNamed("tool"), {}, forever),
    client.callTool("a", toolNamed("tool"), {}, forever),
    client.callTool("b", toolNamed("tool"), {}, forever),
  ]);
  assert.equal(server.requests.filter(({ message }) => message.method === "initialize").length, 2);
  const ids = server.calls().map(({ headers }) => headers.get("mcp-session-id"));
  assert.equal(new Set(ids).size, 2);
});

test("sequential calls reuse connections, event streams included", async (t) => {
  const { client, server } = await start(
    t,
    (request, socket) => void socket.write(EVENT_STREAM + event(reply(request, OK)) + "0\r\n\r\n"),
    { maxExchanges: 4 },
  );
  for (let call = 0; call < 20; call += 1) await client.callTool("s", toolNamed("tool"), {}, forever);
  // A call may start while the connection before it is still being handed back.
  assert.ok(server.accepted <= 2, `${server.accepted} connections`);
});

test("bytes go only to the catalog's host and port, through dial", async () => {
  const seen: string[] = [];
  const client = new UpstreamClient({
    url: new URL("http://tools.example.test:8080/mcp"),
    dial: async (host, port) => {
      seen.push(`${host}:${port}`);
      throw new CmcpError("UPSTREAM_UNAVAILABLE", "refused by the relay");
    },
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
  });
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  await client.close();
  assert.deepEqual(seen, ["tools.example.test:8080"]);
  assert.deepEqual([fault.code, fault.detail.sent, fault.message], ["UPSTREAM_UNAVAILABLE", 0, "refused by the relay"]);
});

test("a session the server lost (404) is opened again once, because the call did not run", async (t) => {
  const lose = new Set(["session-1"]);
  const { client, server } = await start(t, (request, socket) => {
    const known = !lose.has(request.headers.get("mcp-session-id") ?? "");
    socket.write(known ? json(reply(request, OK)) : http(404, {}, ""));
  });
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  assert.deepEqual(
    server.calls().map(({ headers }) => headers.get("mcp-session-id")),
    ["session-1", "session-2"],
  );
});

test("a server that loses every session is asked no more than twice", async (t) => {
  const { client, server } = await start(t, (_, socket) => void socket.write(http(404, {}, "")));
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["UPSTREAM_PROTOCOL_ERROR", 1, 2]);
});

test("a fault after a lost session still says that the call was sent", async (t) => {
  const { client, server } = await start(t, (_, socket) => {
    server.reachable = false;
    socket.end(http(404, { connection: "close" }, ""));
  });
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.equal(fault.detail.sent, 1);
});

test("the server's own requests are answered with nothing but method-not-found, and the call goes on", async (t) => {
  const { client, server } = await start(t, (request, socket) => {
    const asks = event({ jsonrpc: "2.0", id: "ask-1", method: "sampling/createMessage", params: { messages: [] } });
    socket.write(
      EVENT_STREAM +
        asks +
        event({ jsonrpc: "2.0", method: "notifications/progress", params: {} }) +
        event(reply(request, OK)) +
        "0\r\n\r\n",
    );
  });
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), { secret: "value" }, forever), OK);
  const answer = await server.arrival(({ message }) => message.error !== undefined);
  assert.deepEqual(answer.message, {
    jsonrpc: "2.0",
    id: "ask-1",
    error: { code: -32601, message: "method not supported" },
  });
});

test("an answer split at every byte is read the same", async (t) => {
  const { client } = await start(t, (request, socket) => {
    socket.setNoDelay(true);
    socket.write(EVENT_STREAM);
    for (const byte of Buffer.from(
      `: hi\n\nid: 1\ndata:\n\nevent: other\ndata: {"not":"ours"}\n\ndata: ${JSON.stringify(reply(request, { content: [], text: "ü€" }))}\n\n`,
    )) {
      socket.write("1\r\n");
      socket.write(Buffer.from([byte]));
      socket.write("\r\n");
    }
    socket.write("0\r\n\r\n");
  });
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), { content: [], text: "ü€" });
});

for (const [name, goOn] of [
  ["stays open", ""],
  ["goes on", chunk(": more\n\n")],
] as const) {
  test(`a stream that ${name} after the answer does not hold the call, and is dropped`, async (t) => {
    let dropped: Promise<unknown> = Promise.resolve();
    const { client } = await start(t, (request, socket) => {
      socket.write(EVENT_STREAM + event(reply(request, OK)));
      const timer = setInterval(() => goOn !== "" && socket.write(goOn), 10);
      dropped = gone(socket).then(() => clearInterval(timer));
    });
    assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
    await dropped;
  });
}

test("an abort closes the stream, tells the server, and says the outcome is unknown", async (t) => {
  const { client, server } = await start(t, (_, socket) => void socket.write(EVENT_STREAM));
  const going = new AbortController();
  const call = faultOf(client.callTool("s", toolNamed("tool"), {}, going.signal));
  const arrived = await server.arrival(({ message }) => message.method === "tools/call");
  going.abort();
  const fault = await call;
  assert.deepEqual([fault.code, fault.detail.sent], ["REQUEST_CANCELLED", 1]);
  const cancelled = await server.arrival(({ message }) => message.method === "notifications/cancelled");
  assert.deepEqual(cancelled.message.params, { requestId: arrived.message.id });
});

test("a call that was never started because its caller is gone has sent nothing", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(json(reply(request, OK))));
  await client.callTool("s", toolNamed("tool"), {}, forever);
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, AbortSignal.abort()));
  assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["REQUEST_CANCELLED", 0, 1]);
});

test("a call cancelled while it waits for a connection never leaves", async (t) => {
  const held: (() => void)[] = [];
  const { client, server } = await start(
    t,
    (request, socket) => void held.push(() => socket.write(json(reply(request, OK)))),
    { maxConnections: 1 },
  );
  const named =
    (name: string) =>
    ({ message }: ScriptedRequest): boolean =>
      (message.params as JsonObject | undefined)?.name === name;
  const first = client.callTool("s", toolNamed("first"), {}, forever);
  await server.arrival(named("first"));
  const going = new AbortController();
  const waiting = faultOf(client.callTool("s", toolNamed("cancelled"), {}, going.signal));
  await new Promise((resolve) => setImmediate(resolve));
  going.abort();
  const fault = await waiting;
  assert.deepEqual([fault.code, fault.detail.sent], ["REQUEST_CANCELLED", 0]);
  held.pop()?.();
  await first;
  const last = client.callTool("s", toolNamed("last"), {}, forever);
  await server.arrival(named("last"));
  held.pop()?.();
  await last;
  assert.equal(server.calls().length, 2);
});

test("too many calls at once are refused before anything is sent", async (t) => {
  const { client } = await start(t, () => undefined, { maxExchanges: 1, totalMs: 300 });
  const hanging = faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  const refused = await faultOf(client.callTool("other", toolNamed("tool"), {}, forever));
  assert.deepEqual([refused.code, refused.detail.sent], ["OVERLOADED", 0]);
  await hanging;
});

test("tools are listed over all pages; a list with a name twice, without end or of nothing is refused", async (t) => {
  const { client } = await start(t, (request, socket) => {
    const params = request.message.params as JsonObject;
    const mode = request.headers.get("mcp-session-id");
    if (mode === "session-1") {
      const page =
        params.cursor === undefined
          ? { tools: [{ name: "a" }], nextCursor: "2" }
          : { tools: [{ name: "b", inputSchema: {} }] };
      socket.write(json(reply(request, page)));
    } else if (mode === "session-2") {
      socket.write(json(reply(request, { tools: [{ name: "a" }, { name: "a" }] })));
    } else if (mode === "session-3") {
      socket.write(json(reply(request, { tools: [], nextCursor: "again" })));
    } else if (mode === "session-4") {
      socket.write(
        json(reply(request, { tools: Array.from({ length: 4097 }, (_, index) => ({ name: `t${index}` })) })),
      );
    } else {
      socket.write(json(reply(request, {})));
    }
  });
  assert.deepEqual(await client.listTools("pages", forever), [{ name: "a" }, { name: "b", inputSchema: {} }]);
  for (const list of ["twice", "endless", "too many", "none"]) {
    assert.equal((await faultOf(client.listTools(list, forever))).code, "UPSTREAM_PROTOCOL_ERROR", list);
  }
});

test("closing a session deletes it at the server; the next call opens another", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(json(reply(request, OK))));
  await client.callTool("s", toolNamed("tool"), {}, forever);
  await client.closeSession("s");
  const deleted = await server.arrival(({ method }) => method === "DELETE");
  assert.equal(deleted.headers.get("mcp-session-id"), "session-1");
  await client.callTool("s", toolNamed("tool"), {}, forever);
  assert.equal(server.calls()[1]?.headers.get("mcp-session-id"), "session-2");
});

test("close leaves no stream open", async (t) => {
  const { client, server } = await start(t, (request, socket) => void socket.write(json(reply(request, OK))));
  await Promise.all(["a", "b", "c"].map((key) => client.callTool(key, toolNamed("tool"), {}, forever)));
  await client.close();
  assert.ok(server.dialled.length > 0);
  assert.ok(server.dialled.every((stream) => stream.destroyed));
});

for (const [name, url, pinBytes] of [
  ["https without a pin", "https://127.0.0.1/mcp", null],
  ["a pin over plain http", "http://127.0.0.1/mcp", 32],
  ["a pin of another length", "https://127.0.0.1/mcp", 31],
  ["credentials in the URL", "https://user:pw@127.0.0.1/mcp", 32],
] as const) {
  test(`a client for ${name} is not made`, () => {
    const tls =
      pinBytes === null
        ? { mode: "none" as const }
        : { mode: "pinned" as const, spkiSha256: new Uint8Array(pinBytes), now: Date.now };
    assert.throws(
      () =>
        new UpstreamClient({
          url: new URL(url),
          tls,
          dial: () => Promise.reject(new Error("never")),
          clientInfo: { name: "gateway", version: "1" },
        }),
      { code: "CATALOG_INVALID" },
    );
  });
}
