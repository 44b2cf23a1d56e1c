import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as z from "zod";
import type { ToolEntry } from "../gateway/deployment.ts";
import { makeServerCertificate } from "../servers/certificate.ts";
import type { ToolName } from "./schedule/acts.ts";

/** What no host may see and no agent may be told. */
export const SECRET = "078-05-1120";
/** What an agent that may read records is told. */
export const DIAGNOSIS = "Type 2 diabetes";

/** Longer than the host's clock is ever wrong, so that what it does is seen. */
const CERTIFICATE_DAYS = 5_000;

/** Told of every call that reaches the server, before it is answered. */
export type Reached = (tool: ToolName, mark: string) => void;

/** A tool server of the test, over TLS. */
export interface ToolServer {
  readonly tools: readonly ToolEntry[];
  close(): Promise<void>;
}

const INPUT = { mark: z.string() };
const OUTPUT = { name: z.string(), ssn: z.string().optional(), diagnosis: z.string() };

function mcpServer(reached: Reached): McpServer {
  const server = new McpServer({ name: "tools", version: "1.0.0" });
  server.registerTool("send_message", { description: "send_message.", inputSchema: INPUT }, ({ mark }) => {
    reached("send_message", mark);
    return { content: [{ type: "text", text: `sent ${mark}` }] };
  });
  server.registerTool(
    "get_patient_record",
    { description: "get_patient_record.", inputSchema: INPUT, outputSchema: OUTPUT },
    ({ mark }) => {
      reached("get_patient_record", mark);
      const record = { name: mark, ssn: SECRET, diagnosis: DIAGNOSIS };
      return { structuredContent: record, content: [{ type: "text", text: JSON.stringify(record) }] };
    },
  );
  server.registerTool("erase_record", { description: "erase_record.", inputSchema: INPUT }, ({ mark }) => {
    reached("erase_record", mark);
    return { content: [{ type: "text", text: `erased ${mark}` }] };
  });
  server.registerTool("pay_invoice", { description: "pay_invoice.", inputSchema: INPUT }, ({ mark }) => {
    reached("pay_invoice", mark);
    return { content: [{ type: "text", text: `paid ${mark}` }] };
  });
  return server;
}

function toolsAt(url: string, fingerprint: string): ToolEntry[] {
  const text = { type: "string" };
  const input = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { mark: text },
    required: ["mark"],
  };
  const output = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { name: text, ssn: text, diagnosis: text },
    required: ["name", "diagnosis"],
    additionalProperties: false,
  };
  const entry = { url, fingerprint, inputSchema: input };
  return [
    { ...entry, name: "send_message" },
    { ...entry, name: "get_patient_record", outputSchema: output, sensitivityLevel: "hipaa_phi" },
    { ...entry, name: "erase_record" },
    { ...entry, name: "pay_invoice" },
  ];
}

/** Starts the tool server. */
export async function startToolServer(reached: Reached): Promise<ToolServer> {
  const { cert, key, fingerprint } = await makeServerCertificate(CERTIFICATE_DAYS);
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const transportFor = async (request: IncomingMessage): Promise<StreamableHTTPServerTransport> => {
    const known = transports.get(String(request.headers["mcp-session-id"]));
    if (known !== undefined) return known;
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        transports.set(id, transport);
      },
      onsessionclosed: (id) => {
        transports.delete(id);
      },
    });
    await mcpServer(reached).connect(transport);
    return transport;
  };
  const server: Server = createServer({ cert, key }, (request, response) => {
    transportFor(request)
      .then((transport) => transport.handleRequest(request, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return {
    tools: toolsAt(url, fingerprint),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
