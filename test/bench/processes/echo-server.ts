/** The tool servers of all sides: MCP servers of the legacy era, whose tools return their text, with as little work as that takes. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { INPUT_SCHEMA, LARGE_TOOL, textOf } from "../call.ts";
import { argument, endWithParent, say } from "./parent.ts";

interface Call {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly protocolVersion?: string;
    readonly arguments?: { readonly text?: string };
  };
}

const METHOD_NOT_FOUND = { error: { code: -32_601, message: "method not found" } };

/** The text that a tool returns: as many bytes as the name of a large tool says, else the argument. */
function resultOf({ params }: Call): string {
  const bytes = Number(LARGE_TOOL.exec(params?.name ?? "")?.[1] ?? 0);
  return bytes > 0 ? textOf(bytes, bytes) : (params?.arguments?.text ?? "");
}

function answerTo(call: Call, tools: readonly string[]): object {
  switch (call.method) {
    case "tools/call":
      return { result: { content: [{ type: "text", text: resultOf(call) }] } };
    case "initialize":
      return {
        result: {
          protocolVersion: call.params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "echo", version: "1.0.0" },
        },
      };
    case "tools/list":
      return {
        result: { tools: tools.map((name) => ({ name, description: `${name}.`, inputSchema: INPUT_SCHEMA })) },
      };
    case undefined:
    default:
      return METHOD_NOT_FOUND;
  }
}

function reply(response: ServerResponse, body: string, tools: readonly string[]): void {
  if (body === "") {
    response.writeHead(202).end();
    return;
  }
  const call = JSON.parse(body) as Call;
  if (call.id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const text = JSON.stringify({ jsonrpc: "2.0", id: call.id, ...answerTo(call, tools) });
  const session = call.method === "initialize" ? { "mcp-session-id": randomUUID() } : {};
  response
    .writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...session })
    .end(text);
}

function serving(tools: readonly string[]): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => reply(response, Buffer.concat(chunks).toString(), tools));
  };
}

const { cert, key, toolsFile } = argument() as { cert?: string; key?: string; toolsFile: string };
/** Of each server. */
const tools = JSON.parse(readFileSync(toolsFile, "utf8")) as readonly (readonly string[])[];
const ports: number[] = [];
for (const own of tools) {
  const server =
    cert === undefined || key === undefined ? createServer(serving(own)) : createTlsServer({ cert, key }, serving(own));
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ports.push((server.address() as AddressInfo).port);
}
say({ ports });
endWithParent();
