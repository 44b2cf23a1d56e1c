import { hash, randomUUID } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { TLSSocket } from "node:tls";
import * as z from "zod";
import { makeServerCertificate } from "./certificate.ts";

/** A running records server. */
export interface RecordsServer {
  readonly port: number;
  /** What the catalog pins. */
  readonly fingerprint: string;
  /** Arguments of every call that reached the server, in order. */
  readonly calls: readonly { readonly tool: string; readonly arguments: object }[];
  close(): Promise<void>;
}

const PATIENTS: Readonly<Record<string, { name: string; ssn: string; diagnosis: string }>> = {
  "P-1001": { name: "Ada Example", ssn: "078-05-1120", diagnosis: "Type 2 diabetes" },
  "P-1002": { name: "Alan Sample", ssn: "219-09-9999", diagnosis: "Hypertension" },
};

function mcpServer(calls: { tool: string; arguments: object }[]): McpServer {
  const server = new McpServer({ name: "records", version: "1.0.0" });
  server.registerTool(
    "get_patient_record",
    {
      description: "Returns one patient's record.",
      inputSchema: { patient_id: z.string() },
      outputSchema: { name: z.string(), ssn: z.string().optional(), diagnosis: z.string() },
    },
    (args) => {
      calls.push({ tool: "get_patient_record", arguments: args });
      const record = PATIENTS[args.patient_id];
      if (record === undefined) return { isError: true, content: [{ type: "text", text: "no such patient" }] };
      return { structuredContent: record, content: [{ type: "text", text: JSON.stringify(record) }] };
    },
  );
  server.registerTool(
    "send_message",
    { description: "Sends a message outside the hospital.", inputSchema: { to: z.string(), text: z.string() } },
    (args) => {
      calls.push({ tool: "send_message", arguments: args });
      return { content: [{ type: "text", text: `sent to ${args.to}` }] };
    },
  );
  return server;
}

/**
 * Starts a real MCP server over TLS whose tools return made-up patient records and send messages nowhere.
 * @param admits whether it serves who shows a certificate of this key (SHA-256 of the SPKI, base64url; `null` without one); without it
 *   everybody is served, and nobody asked for a certificate
 */
export async function startRecordsServer(port = 0, admits?: (key: string | null) => boolean): Promise<RecordsServer> {
  const certificate = await makeServerCertificate();
  const calls: { tool: string; arguments: object }[] = [];
  const transports = new Map<string, StreamableHTTPServerTransport>();

  const transportFor = async (request: IncomingMessage): Promise<StreamableHTTPServerTransport> => {
    const known = transports.get(String(request.headers["mcp-session-id"]));
    if (known !== undefined) return known;
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        transports.set(id, transport);
      },
    });
    await mcpServer(calls).connect(transport);
    return transport;
  };

  // Certificates are judged by their key alone, so no authority has to have signed them.
  const asks = admits === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
  const tls = { cert: certificate.cert, key: certificate.key, ...asks };
  const server: Server = createServer(tls, (request, response) => {
    if (admits !== undefined && !admits(keyShown(request.socket as TLSSocket))) {
      response.writeHead(403).end();
      return;
    }
    transportFor(request)
      .then((transport) => transport.handleRequest(request, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    fingerprint: certificate.fingerprint,
    calls,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The key of the client's certificate, which it has proven to hold; `null` where it showed none. */
function keyShown(socket: TLSSocket): string | null {
  const shown = socket.getPeerX509Certificate();
  const spki = shown?.publicKey.export({ type: "spki", format: "der" });
  return spki === undefined ? null : hash("sha256", spki, "base64url");
}
