import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/**
 * A server of the old HTTP with SSE that sends a call's progress and result as one JSON-RPC batch; its path names the
 * protocol version it speaks.
 */
export interface BatchingServer {
  url(version: string): string;
  close(): Promise<void>;
}

interface Posted {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly _meta?: { readonly progressToken?: string | number } };
}

function answerTo({ id, method, params }: Posted, version: string): object | null {
  if (id === undefined) return null;
  const result = (value: object): object => ({ jsonrpc: "2.0", id, result: value });
  if (method === "initialize")
    return result({
      protocolVersion: version,
      capabilities: { tools: {} },
      serverInfo: { name: "batching", version: "1" },
    });
  if (method !== "tools/call") return result({ tools: [] });
  const progress = {
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: params?._meta?.progressToken, progress: 1, total: 1 },
  };
  return [progress, result({ content: [{ type: "text", text: `in a batch of ${version}` }] })];
}

export async function startBatchingServer(): Promise<BatchingServer> {
  const streams: ServerResponse[] = [];
  const server = createServer((incoming, outgoing) => {
    const [, version = "", stream] = (incoming.url ?? "").split("/");
    if (incoming.method === "GET") {
      outgoing
        .writeHead(200, { "content-type": "text/event-stream" })
        .write(`event: endpoint\ndata: /${version}/${streams.push(outgoing) - 1}\n\n`);
      return;
    }
    void json(incoming).then((posted) => {
      outgoing.writeHead(202).end();
      const answer = answerTo(posted as Posted, version);
      if (answer !== null) streams[Number(stream)]?.write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: (version) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${version}/sse`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
