import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { UpstreamClient } from "../index.ts";
import { ScriptedServer, http, json, reply, type Handshake, type ScriptedRequest } from "../testing/scripted-server.ts";
import { toolNamed } from "../testing/upstream.ts";

const forever = new AbortController().signal;
const OK: JsonObject = { content: [] };

async function start(
  t: TestContext,
  handshake: Handshake,
  answer: (request: ScriptedRequest) => string = (request) => json(reply(request, OK)),
): Promise<{ server: ScriptedServer; client: UpstreamClient }> {
  const server = await ScriptedServer.start((request, socket) => void socket.write(answer(request)));
  server.handshake = handshake;
  const client = new UpstreamClient({
    url: server.url,
    dial: server.dial,
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
  });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  return { server, client };
}

function initialize(version: string, headers: Record<string, string> = {}): NonNullable<Handshake["initialize"]> {
  return (request) =>
    json(
      reply(request, { protocolVersion: version, capabilities: {}, serverInfo: { name: "s", version: "1" } }),
      headers,
    );
}

const wrong: Record<string, Handshake> = {
  "a version that was not offered": { initialize: initialize("2026-07-28") },
  "no version": { initialize: (request) => json(reply(request, { capabilities: {} })) },
  "no capabilities": { initialize: (request) => json(reply(request, { protocolVersion: "2025-11-25" })) },
  "a session id that is no visible ASCII": { initialize: initialize("2025-11-25", { "mcp-session-id": "a b" }) },
  "a session id longer than 4096": { initialize: initialize("2025-11-25", { "mcp-session-id": "x".repeat(4_097) }) },
  "HTTP 404": { initialize: () => http(404, {}, "") },
  "another id": { initialize: (request) => json({ ...reply(request, OK), id: 77 }) },
  "a refused notifications/initialized": { initialized: http(500, {}, "") },
};
for (const [name, handshake] of Object.entries(wrong)) {
  test(`a server that opens a session with ${name}: no call leaves, and the next one tries again`, async (t) => {
    const { client, server } = await start(t, handshake);
    await assert.rejects(
      client.callTool("s", toolNamed("tool"), {}, forever),
      (error: { code?: unknown; detail?: { sent?: unknown } }) => {
        assert.deepEqual([error.code, error.detail?.sent], ["UPSTREAM_PROTOCOL_ERROR", 0]);
        return true;
      },
    );
    assert.equal(server.calls().length, 0);
    server.handshake = {};
    assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  });
}

test("the newest version is offered with no capabilities, and any legacy one taken", async (t) => {
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
    const { client, server } = await start(t, { initialize: initialize(version) });
    await client.callTool("s", toolNamed("tool"), {}, forever);
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "gateway", version: "1" } };
    assert.deepEqual(server.requests[1]?.message.params, params);
    assert.deepEqual(
      server.requests.map(({ message }) => message.method),
      ["server/discover", "initialize", "notifications/initialized", "tools/call"],
    );
    assert.equal(server.calls()[0]?.headers.get("mcp-protocol-version"), version);
  }
});

test("a session id of 4096 characters is sent back as it came", async (t) => {
  const id = "x".repeat(4_096);
  const { client, server } = await start(t, { initialize: initialize("2025-11-25", { "mcp-session-id": id }) });
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  assert.equal(server.calls()[0]?.headers.get("mcp-session-id"), id);
});

test("a server without sessions is called without a handle, and a 404 of it is not tried again", async (t) => {
  const { client, server } = await start(t, { initialize: initialize("2025-11-25") }, () => http(404, {}, ""));
  await assert.rejects(client.callTool("s", toolNamed("tool"), {}, forever), { code: "UPSTREAM_PROTOCOL_ERROR" });
  assert.equal(server.calls().length, 1);
  assert.equal(server.calls()[0]?.headers.has("mcp-session-id"), false);
});

test("a caller that leaves while a session is opened leaves the others waiting for it in peace", async (t) => {
  const { client, server } = await start(t, { initialize: () => "" });
  const opening = server.arrival(({ message }) => message.method === "initialize");
  const going = new AbortController();
  const left = assert.rejects(client.callTool("s", toolNamed("tool"), {}, going.signal), { code: "REQUEST_CANCELLED" });
  const stays = client.callTool("s", toolNamed("tool"), {}, forever);
  const request = await opening;
  going.abort();
  await left;
  for (const socket of server.sockets)
    socket.write(json(reply(request, { protocolVersion: "2025-11-25", capabilities: {} })));
  assert.deepEqual(await stays, OK);
  assert.equal(server.calls().length, 1);
});

test("closing a session that is still being opened does not wait for it; it is deleted once it is open", async (t) => {
  const { client, server } = await start(t, { initialize: () => "" });
  const going = new AbortController();
  const left = assert.rejects(client.callTool("s", toolNamed("tool"), {}, going.signal), { code: "REQUEST_CANCELLED" });
  const request = await server.arrival(({ message }) => message.method === "initialize");
  going.abort();
  await left;
  await client.closeSession("s");
  const body = json(reply(request, { protocolVersion: "2025-11-25", capabilities: {} }), { "mcp-session-id": "late" });
  for (const socket of server.sockets) socket.write(body);
  const deleted = await server.arrival(({ method }) => method === "DELETE");
  assert.equal(deleted.headers.get("mcp-session-id"), "late");
});

test("a server that is gone or refuses does not keep a session from closing", async (t) => {
  const { client, server } = await start(t, {});
  await client.callTool("s", toolNamed("tool"), {}, forever);
  server.reachable = false;
  for (const socket of server.sockets) socket.destroy();
  await client.closeSession("s");
  await client.closeSession("never opened");
});
