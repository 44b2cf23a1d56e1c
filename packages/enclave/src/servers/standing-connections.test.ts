import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { silentPeer } from "@cmcp/mcp";
import { directUpstreams, remoteServer } from "../testing/servers.ts";
import { Upstreams } from "./upstreams.ts";

/** Of what the host's relay carries. */
const STANDING = 128;

/** A tool that never answers. */
const NEVER = "never";

/** A server of MCP 2024-11-05, and the streams that are open to it. */
async function serve(t: TestContext): Promise<{ url: URL; streams: Map<string, ServerResponse> }> {
  const streams = new Map<string, ServerResponse>();
  let opened = 0;
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      const id = String((opened += 1));
      streams.set(id, response);
      response.once("close", () => streams.delete(id));
      response
        .writeHead(200, { "content-type": "text/event-stream" })
        .write(`event: endpoint\ndata: /messages?stream=${id}\n\n`);
      return;
    }
    response.writeHead(202).end();
    void text(request).then((body) => {
      const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: { name?: string } };
      if (params?.name === NEVER) return;
      const result =
        method === "initialize"
          ? { protocolVersion: "2024-11-05", capabilities: {}, serverInfo: { name: "old", version: "1" } }
          : {};
      const stream = new URL(request.url ?? "", "http://server").searchParams.get("stream") ?? "";
      if (id !== undefined) streams.get(stream)?.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`), streams };
}

test("idle sessions of all http-sse servers together hold no more connections than leave the relay room for messages", {
  timeout: 60_000,
}, async (t) => {
  const servers = [await serve(t), await serve(t)];
  const upstreams = new Upstreams(directUpstreams());
  t.after(() => upstreams.close());
  for (let session = 0; session < STANDING + 10; session += 1) {
    const { url } = servers[session % 2] ?? assert.fail();
    const server = remoteServer(url, "http-sse");
    await upstreams.request(
      server,
      { id: `s${session}`, principalId: "alice" },
      { method: "tools/call", params: { name: "tool", arguments: {} } },
      silentPeer(AbortSignal.timeout(30_000)),
    );
  }
  assert.equal(upstreams.load.streams, STANDING);
  while (servers.reduce((sum, { streams }) => sum + streams.size, 0) > STANDING)
    await new Promise((resolve) => setTimeout(resolve, 20));
});

test("two principals whose calls hold every connection they may leave the third one", {
  timeout: 60_000,
}, async (t) => {
  const { url } = await serve(t);
  const upstreams = new Upstreams(directUpstreams());
  t.after(() => upstreams.close());
  const leaving = new AbortController();
  const call = (principalId: string, n: number, name: string): Promise<unknown> =>
    upstreams.request(
      remoteServer(url, "http-sse"),
      { id: `${principalId}-${n}`, principalId },
      { method: "tools/call", params: { name, arguments: {} } },
      silentPeer(leaving.signal),
    );
  const held: Promise<unknown>[] = [];
  for (const [principalId, most] of [
    ["alice", 64],
    ["bob", 32],
  ] as const) {
    for (let n = 0; n < most; n += 1) held.push(call(principalId, n, NEVER));
    await assert.rejects(call(principalId, most, NEVER), { code: "OVERLOADED", detail: { sent: 0 } });
  }
  assert.deepEqual(await call("carol", 0, "tool"), { kind: "complete", result: {} });
  leaving.abort();
  const ended = await Promise.allSettled(held);
  assert.ok(ended.every(({ status }) => status === "rejected"));
});
