import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "@cmcp/mcp";
import { directUpstreams, remoteServer } from "../testing/servers.ts";
import { Upstreams } from "./upstreams.ts";

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly capabilities?: JsonObject };
}

test("a server over a channel, which is of the legacy era, is not told that it could ask an agent of the modern era", async (t) => {
  const said: Message[] = [];
  let stream: ServerResponse | undefined;
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      stream = response.writeHead(200, { "content-type": "text/event-stream" });
      stream.write("event: endpoint\ndata: /messages\n\n");
      return;
    }
    void text(request).then((body) => {
      const message = JSON.parse(body) as Message;
      said.push(message);
      response.writeHead(202).end();
      const result =
        message.method === "initialize"
          ? { protocolVersion: "2024-11-05", capabilities: {}, serverInfo: { name: "s", version: "1" } }
          : {};
      if (message.id !== undefined)
        stream?.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id: message.id, result })}\n\n`);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const upstreams = new Upstreams(directUpstreams());
  t.after(async () => {
    await upstreams.close();
    server.closeAllConnections();
    server.close();
  });
  const target = remoteServer(new URL(`http://127.0.0.1:${port}/sse`), "http-sse");
  const agent: Peer = { ...silentPeer(new AbortController().signal), capabilities: { elicitation: {} } };
  for (const [id, input] of [
    ["asked at once", "ask"],
    ["asked by the answer", "retry"],
  ] as const) {
    await upstreams.request(
      target,
      { id, principalId: "alice" },
      { method: "tools/call", params: { name: "tool", arguments: {} } },
      { ...agent, input },
    );
  }
  assert.deepEqual(
    said.filter(({ method }) => method === "initialize").map(({ params }) => params?.capabilities),
    [{ elicitation: {} }, {}],
  );
});
