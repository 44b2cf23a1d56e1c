import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import type * as z from "zod";

/** One tool of a test's server, built on the official SDK. */
export interface ScriptedTool {
  readonly name: string;
  readonly description: string;
  readonly input?: Readonly<Record<string, z.ZodType>>;
  readonly output?: Readonly<Record<string, z.ZodType>>;
  /** What the tool answers: a text, or a whole result. */
  readonly run: (args: Record<string, unknown>) => string | CallToolResult;
}

/** A running MCP server, and what reached it. */
export interface ToolsServer {
  readonly name: string;
  readonly url: string;
  readonly calls: readonly { readonly tool: string; readonly arguments: Record<string, unknown> }[];
  /** Replaces the tools; later sessions see the new ones. */
  change(tools: readonly ScriptedTool[]): void;
  close(): Promise<void>;
}

/** Starts a real MCP server over HTTP with these tools. */
export async function startToolsServer(name: string, first: readonly ScriptedTool[]): Promise<ToolsServer> {
  let tools = first;
  const calls: { tool: string; arguments: Record<string, unknown> }[] = [];
  const transports = new Map<string, StreamableHTTPServerTransport>();

  const connect = async (transport: StreamableHTTPServerTransport): Promise<void> => {
    const server = new McpServer({ name, version: "1.0.0" });
    for (const { name: tool, description, input = {}, output, run } of tools)
      server.registerTool(
        tool,
        { description, inputSchema: { ...input }, ...(output === undefined ? {} : { outputSchema: { ...output } }) },
        (args: Record<string, unknown>) => {
          calls.push({ tool, arguments: args });
          const result = run(args);
          return typeof result === "string" ? { content: [{ type: "text", text: result }] } : result;
        },
      );
    await server.connect(transport);
  };

  const transportFor = async (request: IncomingMessage): Promise<StreamableHTTPServerTransport> => {
    const known = transports.get(String(request.headers["mcp-session-id"]));
    if (known !== undefined) return known;
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
    });
    await connect(transport);
    return transport;
  };

  const server = createServer((request, response) => {
    transportFor(request)
      .then((transport) => transport.handleRequest(request, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    name,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    calls,
    change: (next) => {
      tools = next;
      transports.clear();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
