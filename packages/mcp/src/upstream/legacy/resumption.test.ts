import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { EVENT_STREAM, chunk, event, http, reply, type Script } from "../../testing/scripted-server.ts";
import { faultOf, forever, start, toolNamed } from "../../testing/upstream.ts";

const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };
/** A stream that gives itself an id and ends; it is to be gone on with at once. */
const BROKEN = `${EVENT_STREAM}${chunk("retry: 1\nid: e-1\ndata:\n\n")}0\r\n\r\n`;

/** The first call's stream breaks off; `resumed` is what its resumption meets. */
function breaking(resumed: Script): Script {
  let broke = false;
  return (request, socket) => {
    if (request.headers.has("last-event-id")) resumed(request, socket);
    else if (broke) socket.write(`${EVENT_STREAM}${event(reply(request, OK))}0\r\n\r\n`);
    else socket.write(BROKEN);
    broke = true;
  };
}

test("a stream that broke off is gone on with where it ended, in its session", async (t) => {
  const { client, server } = await start(
    t,
    breaking(
      (_, socket) =>
        void socket.write(
          `${EVENT_STREAM}${event({ jsonrpc: "2.0", id: server.calls()[0]?.message.id ?? null, result: OK })}0\r\n\r\n`,
        ),
    ),
  );
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  const resumed = server.requests.find(({ headers }) => headers.has("last-event-id"));
  assert.deepEqual(
    [resumed?.method, resumed?.headers.get("last-event-id"), resumed?.headers.get("mcp-session-id")],
    ["GET", "e-1", "session-1"],
  );
  assert.equal(server.calls().length, 1);
});

/** A stream that gives itself an id, after which the connection is reset. */
const lose = (socket: Socket, retryMs = 1): void =>
  void socket.write(`${EVENT_STREAM}${chunk(`retry: ${retryMs}\nid: e-1\ndata:\n\n`)}`, () =>
    setTimeout(() => socket.resetAndDestroy(), 50),
  );

test("one whose connection was lost is gone on with too, until nothing new came three times", async (t) => {
  let lost = 0;
  const { client, server } = await start(t, (_, socket) => {
    lost += 1;
    if (lost <= 3) lose(socket);
    else
      socket.write(
        `${EVENT_STREAM}${event({ jsonrpc: "2.0", id: server.calls().at(-1)?.message.id ?? null, result: OK })}0\r\n\r\n`,
      );
  });
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  assert.equal(server.calls().length, 1);
  lost = -1;
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["UPSTREAM_UNAVAILABLE", 1, 2]);
});

test("one whose connection was lost before it had an event is of unknown outcome", async (t) => {
  const { client, server } = await start(
    t,
    (_, socket) => void socket.write(EVENT_STREAM, () => setTimeout(() => socket.resetAndDestroy(), 50)),
  );
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual(
    [fault.code, fault.detail.sent, server.requests.filter(({ method }) => method === "GET").length],
    ["UPSTREAM_UNAVAILABLE", 1, 0],
  );
});

test("a server that wants to be asked again later than it may be silent is not asked at all", async (t) => {
  const { client, server } = await start(t, (_, socket) => lose(socket, 60_001));
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual(
    [fault.code, fault.detail.sent, server.requests.filter(({ method }) => method === "GET").length],
    ["UPSTREAM_TIMEOUT", 1, 0],
  );
});

const refusal = JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32600, message: "no such stream" } });
for (const [name, answer] of [
  ["404", http(404, {}, "")],
  ["400 and a JSON-RPC error", http(400, { "content-type": "application/json" }, refusal)],
  ["405", http(405, {}, "")],
] as const) {
  test(`a call whose stream broke off and is not gone on with (${name}) is of unknown outcome and never sent again; later calls have another session`, async (t) => {
    const { client, server } = await start(
      t,
      breaking((_, socket) => void socket.write(answer)),
    );
    const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
    assert.deepEqual([fault.code, fault.detail.sent, server.calls().length], ["UPSTREAM_PROTOCOL_ERROR", 1, 1]);
    assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
    assert.deepEqual(
      server.calls().map(({ headers }) => headers.get("mcp-session-id")),
      ["session-1", "session-2"],
    );
  });
}
