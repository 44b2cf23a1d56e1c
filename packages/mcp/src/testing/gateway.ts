import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { createMcpEndpoint, type Caller, type McpEndpoint, type McpPorts, type ToolCall, type ToolReply } from "../index.ts";

export interface TestSession {
  readonly id: string;
  readonly principalId: string;
}

/** A gateway without policy: sessions in a map, tools and calls as the test says. */
export class TestGateway implements McpPorts<TestSession> {
  readonly serverInfo = { name: "gateway", version: "1.2.3" };
  readonly calls: { readonly call: ToolCall; readonly session: TestSession; readonly signal: AbortSignal }[] = [];
  readonly open = new Map<string, TestSession>();
  readonly labelled = new Map<string, TestSession>();
  readonly ended: string[] = [];
  tools: ReturnType<McpPorts<TestSession>["listTools"]> = [];
  reply: (call: ToolCall, session: TestSession, signal: AbortSignal) => ToolReply | Promise<ToolReply> = () => ({ ok: true, result: { content: [] } });

  readonly sessions = {
    open: ({ principalId }: Caller): { handle: string } => {
      const handle = randomBytes(16).toString("base64url");
      this.open.set(handle, { id: handle, principalId });
      return { handle };
    },
    find: ({ principalId }: Caller, handle: string): TestSession | undefined => {
      const session = this.open.get(handle);
      return session?.principalId === principalId ? session : undefined;
    },
    default: ({ principalId }: Caller, label: string | null): TestSession => {
      const id = `${principalId}/${label ?? "(none)"}`;
      const session = this.labelled.get(id) ?? { id, principalId };
      this.labelled.set(id, session);
      return session;
    },
    end: async (_: Caller, session: TestSession): Promise<void> => {
      this.ended.push(session.id);
      this.open.delete(session.id);
    },
  };

  listTools(): ReturnType<McpPorts<TestSession>["listTools"]> {
    return this.tools;
  }

  async callTool(_: Caller, session: TestSession, call: ToolCall, signal: AbortSignal): Promise<ToolReply> {
    this.calls.push({ call, session, signal });
    return this.reply(call, session, signal);
  }
}

function toRequest(incoming: IncomingMessage, gone: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === "string") headers.set(name, value);
  const body = incoming.method === "POST" ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null;
  return new Request(`http://gateway${incoming.url ?? "/"}`, { method: incoming.method ?? "GET", headers, signal: gone, body, duplex: "half" });
}

type Handler = (request: Request, incoming: IncomingMessage) => Promise<Response>;

async function respond(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const response = await handler(toRequest(incoming, gone.signal), incoming);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}

/** A handler of web requests behind a real HTTP server on loopback. */
export async function serve(handler: Handler): Promise<{ url: URL; server: Server }> {
  const server = createServer((incoming, outgoing) => void respond(handler, incoming, outgoing));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`), server };
}

/** The endpoint of a gateway behind a real HTTP server on loopback. */
export async function listen(gateway: TestGateway): Promise<{ url: URL; server: Server }> {
  const endpoint: McpEndpoint = createMcpEndpoint(gateway);
  return await serve((request, incoming) => endpoint(request, { principalId: incoming.headers["x-test-principal"]?.toString() ?? "alice" }));
}
