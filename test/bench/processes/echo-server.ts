/** The tool servers of both sides: MCP servers of the legacy era, each with one tool that returns its text, and as little work as that takes. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { INPUT_SCHEMA, TOOL } from "../call.ts";
import { argument, endWithParent, say } from "./parent.ts";

interface Call {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly protocolVersion?: string; readonly arguments?: { readonly text?: string } };
}

const METHOD_NOT_FOUND = { error: { code: -32_601, message: "method not found" } };

function answerTo(call: Call, tool: string): object {
  switch (call.method) {
    case "tools/call":
      return { result: { content: [{ type: "text", text: call.params?.arguments?.text ?? "" }] } };
    case "initialize":
      return {
        result: {
          protocolVersion: call.params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "echo", version: "1.0.0" },
        },
      };
    case "tools/list":
      return { result: { tools: [{ name: tool, description: `${tool}.`, inputSchema: INPUT_SCHEMA }] } };
    case undefined:
    default:
      return METHOD_NOT_FOUND;
  }
}

function reply(response: ServerResponse, body: string, tool: string): void {
  if (body === "") {
    response.writeHead(202).end();
    return;
  }
  const call = JSON.parse(body) as Call;
  if (call.id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const text = JSON.stringify({ jsonrpc: "2.0", id: call.id, ...answerTo(call, tool) });
  const session = call.method === "initialize" ? { "mcp-session-id": randomUUID() } : {};
  response
    .writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...session })
    .end(text);
}

function serving(tool: string): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => reply(response, Buffer.concat(chunks).toString(), tool));
  };
}

const { cert, key, tools = [TOOL] } = argument() as { cert?: string; key?: string; tools?: readonly string[] };
const ports: number[] = [];
for (const tool of tools) {
  const server =
    cert === undefined || key === undefined
      ? createServer(serving(tool))
      : createTlsServer({ cert, key }, serving(tool));
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ports.push((server.address() as AddressInfo).port);
}
say({ ports });
endWithParent();
