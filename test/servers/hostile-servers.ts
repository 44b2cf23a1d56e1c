import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import type { ServerCertificate } from "./certificate.ts";

/** A raw TCP server that speaks just enough HTTP to misbehave. */
export interface RawServer {
  readonly url: string;
  /** Shows another certificate from now on, and closes what is open. */
  renew(certificate: Pick<ServerCertificate, "cert" | "key">): void;
  close(): Promise<void>;
}

/** What a request asked, as far as a misbehaving server cares. */
interface RawRequest {
  readonly method: string;
  readonly id: number | null;
}

type Misbehave = (socket: Socket, request: RawRequest) => void;

/** An HTTP/1.1 reply with a length. */
export function reply(body: string, contentType = "application/json", extra = ""): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${extra}\r\n${body}`;
}

function initialized(id: number | null): string {
  const result = {
    protocolVersion: "2025-11-25",
    capabilities: { tools: {} },
    serverInfo: { name: "hostile", version: "1" },
  };
  return reply(JSON.stringify({ jsonrpc: "2.0", id, result }), "application/json", "mcp-session-id: s1\r\n");
}

/**
 * Answers the handshake properly, `tools/list` with one tool or with `pages`, and hands every `tools/call` to
 * `misbehave`; over TLS when it has a certificate.
 * @param pages result of `tools/list` for a cursor
 */
export async function startRawServer(
  toolName: string,
  misbehave: Misbehave,
  pages: (cursor: string | null) => object = () => ({ tools: [rawTool(toolName)] }),
  certificate: ServerCertificate | null = null,
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let pending = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      pending += text;
      for (;;) {
        const end = pending.indexOf("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, end))?.[1] ?? "0");
        if (end < 0 || pending.length < end + 4 + length) return;
        const verb = pending.slice(0, pending.indexOf(" "));
        const body = pending.slice(end + 4, end + 4 + length);
        pending = pending.slice(end + 4 + length);
        if (verb !== "POST") {
          socket.write("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
          continue;
        }
        const message = JSON.parse(body) as { method: string; id?: number; params?: { cursor?: string } };
        if (message.method === "initialize") socket.write(initialized(message.id ?? null));
        else if (message.method === "tools/list")
          socket.write(
            reply(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: pages(message.params?.cursor ?? null) })),
          );
        else if (message.method === "tools/call") misbehave(socket, { method: message.method, id: message.id ?? null });
        else socket.write("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
      }
    });
  };
  const server: Server =
    certificate === null
      ? createServer(serve)
      : createTlsServer({ cert: certificate.cert, key: certificate.key }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `${certificate === null ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    renew: (next) => {
      if (server instanceof TlsServer) server.setSecureContext(next);
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A tool as tests approve it. */
export function rawTool(name: string): object {
  return { name, description: `${name}.`, inputSchema: { type: "object" } };
}

/** A well-formed tools/call reply with this id. */
export function callReply(id: number | null, text: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text }] } });
}
