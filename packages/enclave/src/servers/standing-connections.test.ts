import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { BufferedBytes } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { silentPeer } from "@cmcp/mcp";
import type { Credentials } from "./credentials.ts";
import type { StdioServers } from "./stdio/servers.ts";
import { Upstreams } from "./upstreams.ts";

/** Of what the host's relay carries. */
const STANDING = 128;

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
      const { id, method } = JSON.parse(body) as { id?: number; method: string };
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
  const dial = async (host: string, port: number): Promise<ReturnType<typeof connect>> => connect(port, host);
  const stdio = { close: async () => undefined } as unknown as StdioServers;
  const upstreams = new Upstreams(dial, stdio, {} as unknown as Credentials, new BufferedBytes(), {});
  t.after(() => upstreams.close());
  for (let session = 0; session < STANDING + 10; session += 1) {
    const { url } = servers[session % 2] ?? assert.fail();
    const server = { identity: url.href, transport: "http-sse", url, pin: null } as unknown as CatalogServer;
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
