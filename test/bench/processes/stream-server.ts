/**
 * The tool server of streamed results: an MCP server of the legacy era whose tool sends progress events and then its
 * result, as one SSE reply.
 */
import { randomUUID } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { STREAM_SCHEMA, STREAM_TOOL } from "../stream-call.ts";
import { endWithParent, say } from "./parent.ts";

interface Call {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly protocolVersion?: string;
    readonly arguments?: { readonly events: number; readonly first_ms: number; readonly every_ms: number };
    readonly _meta?: { readonly progressToken?: number | string };
  };
}

function event(response: ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
}

async function stream(response: ServerResponse, { id, params }: Call): Promise<void> {
  const { events = 0, first_ms: firstMs = 0, every_ms: everyMs = 0 } = params?.arguments ?? {};
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const token = params?._meta?.progressToken;
  for (let progress = 1; progress <= events && !response.destroyed; progress += 1) {
    const wait = progress === 1 ? firstMs : everyMs;
    if (wait > 0) await delay(wait);
    event(response, { method: "notifications/progress", params: { progressToken: token, progress, total: events } });
  }
  if (everyMs > 0) await delay(everyMs);
  event(response, { id, result: { content: [{ type: "text", text: `counted to ${events}` }] } });
  response.end();
}

function answer(response: ServerResponse, call: Call): void {
  if (call.id === undefined) {
    response.writeHead(202).end();
    return;
  }
  if (call.method === "tools/call") {
    void stream(response, call);
    return;
  }
  const opening = call.method === "initialize";
  const result = opening
    ? {
        protocolVersion: call.params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "counter", version: "1.0.0" },
      }
    : { tools: [{ name: STREAM_TOOL, description: `${STREAM_TOOL}.`, inputSchema: STREAM_SCHEMA }] };
  response
    .writeHead(200, { "content-type": "application/json", ...(opening ? { "mcp-session-id": randomUUID() } : {}) })
    .end(JSON.stringify({ jsonrpc: "2.0", id: call.id, result }));
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString();
    // Neither a standing stream nor sessions are kept here.
    if (request.method !== "POST" || body === "") response.writeHead(request.method === "DELETE" ? 200 : 405).end();
    else answer(response, JSON.parse(body) as Call);
  });
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => say({ ports: [(server.address() as AddressInfo).port] }));
endWithParent();
