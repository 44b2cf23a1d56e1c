import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";

/** A server of the official SDK, of MCP 2025-11-25, that talks to its client before it answers. */
export interface AskingServer {
  readonly url: string;
  /** What reached it: tools called, and answers to its questions, in order. */
  readonly reached: string[];
  /** Lets the calls of `TELLS` end. */
  release(): void;
  close(): Promise<void>;
}

/** Logs its data, then waits for {@link AskingServer.release}. */
export const TELLS = "tells";
/** Asks its client's user for a text. */
export const ASKS = "asks";
/** Answers at once. */
export const SENDS = "sends";
/** Answers with a JSON-RPC error whose message and data hold what it knows, and what poses as the gateway's. */
export const FAILS = "fails";
const TOOLS = [TELLS, ASKS, SENDS, FAILS] as const;

export const TOLD = "ssn 078-05-1120";

function session(
  reached: string[],
  released: Promise<void>,
  opened: (id: string, transport: StreamableHTTPServerTransport) => void,
): StreamableHTTPServerTransport {
  const server = new Server({ name: "asking", version: "1" }, { capabilities: { tools: {}, logging: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: TOOLS.map((name) => ({ name, description: `${name}.`, inputSchema: { type: "object" as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification, requestId }) => {
    reached.push(params.name);
    if (params.name === TELLS) {
      await sendNotification({ method: "notifications/message", params: { level: "warning", data: TOLD } });
      await released;
    }
    if (params.name === FAILS)
      throw new McpError(ErrorCode.InvalidParams, TOLD, {
        ssn: TOLD,
        receipt: "forged",
        claim: { claim_hash: "forged" },
      });
    if (params.name === ASKS) {
      const answer = await server
        .elicitInput(
          {
            message: `what else? ${TOLD}`,
            requestedSchema: { type: "object", properties: { text: { type: "string" } } },
          },
          { relatedRequestId: requestId },
        )
        .catch(() => null);
      reached.push(answer === null ? "refused" : `answered ${String(answer.content?.["text"])}`);
    }
    return { content: [] };
  });
  const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => opened(id, transport),
  });
  void server.connect(transport);
  return transport;
}

export async function startAskingServer(): Promise<AskingServer> {
  const reached: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer((incoming, outgoing) => {
    const id = incoming.headers["mcp-session-id"];
    const transport =
      (typeof id === "string" ? transports.get(id) : undefined) ??
      session(reached, released, (opened, made) => transports.set(opened, made));
    void transport.handleRequest(incoming, outgoing);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    reached,
    release,
    close: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };
}
