import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** Two resources of one server: it tells of the first, and of the second it will not. */
export const GRANTED = "notes://granted";
export const REFUSED = "notes://refused";

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly uri?: string };
}

/** Starts a minimal server of the session era with these resources. */
export async function startSubscribingServer(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const resultOf = ({ method, params }: Message): object | null => {
    if (method === "initialize")
      return {
        protocolVersion: "2025-11-25",
        capabilities: { resources: { subscribe: true } },
        serverInfo: { name: "subscribing", version: "1" },
      };
    if (method === "tools/list") return { tools: [] };
    if (method === "resources/list") return { resources: [GRANTED, REFUSED].map((uri) => ({ uri, name: uri })) };
    if (method === "resources/templates/list") return { resourceTemplates: [] };
    return method === "resources/subscribe" && params?.uri === GRANTED ? {} : null;
  };
  const server = createServer((request, response) => {
    if (request.method !== "POST") {
      response.writeHead(request.method === "GET" ? 405 : 200).end();
      return;
    }
    void text(request).then((body) => {
      const message = JSON.parse(body) as Message;
      if (message.id === undefined) return response.writeHead(202).end();
      const result = resultOf(message);
      const answer = result === null ? { error: { code: -32010, message: "not this one" } } : { result };
      return response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
