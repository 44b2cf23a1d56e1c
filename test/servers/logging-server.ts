import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import {
  CallToolRequestSchema,
  ListToolsRequestSchema,
  SetLevelRequestSchema,
  type LoggingLevel,
} from "@modelcontextprotocol/sdk/types.js";
import type { JsonObject } from "@cmcp/boundary";

/** A server of the official SDK, of MCP 2025-11-25, whose one tool logs at several levels before it answers. */
export interface LoggingServer {
  readonly url: string;
  /** `_meta` of every call it got, in order. */
  readonly metas: (JsonObject | undefined)[];
  /** The log levels it was told, in order, with the session each was for. */
  readonly levels: { readonly session: string | undefined; readonly level: string }[];
  close(): Promise<void>;
}

export const LOGS = "logs";
const LEVELS: readonly LoggingLevel[] = ["debug", "info", "warning", "error"];

function session(
  { metas, levels }: Pick<LoggingServer, "metas" | "levels">,
  opened: (id: string, transport: StreamableHTTPServerTransport) => void,
): StreamableHTTPServerTransport {
  const server = new Server({ name: "logging", version: "1" }, { capabilities: { tools: {}, logging: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: LOGS, description: `${LOGS}.`, inputSchema: { type: "object" } }],
  }));
  server.setRequestHandler(SetLevelRequestSchema, ({ params: { level } }, { sessionId }) => {
    levels.push({ session: sessionId, level });
    return {};
  });
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
    metas.push(params._meta as JsonObject | undefined);
    for (const level of LEVELS)
      await sendNotification({ method: "notifications/message", params: { level, data: level } });
    return { content: [] };
  });
  const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => opened(id, transport),
  });
  void server.connect(transport);
  return transport;
}

export async function startLoggingServer(): Promise<LoggingServer> {
  const seen: Pick<LoggingServer, "metas" | "levels"> = { metas: [], levels: [] };
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer((incoming, outgoing) => {
    const id = incoming.headers["mcp-session-id"];
    const transport =
      (typeof id === "string" ? transports.get(id) : undefined) ??
      session(seen, (opened, made) => transports.set(opened, made));
    void transport.handleRequest(incoming, outgoing);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    ...seen,
    close: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
}
