import type { JsonObject } from "@cmcp/boundary";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type {
  Caller,
  AgentRequest,
  ListenFilter,
  ListKind,
  ListPage,
  McpPorts,
  Peer,
  Outcome,
  RpcBody,
  ListenStream,
  TaskState,
  TaskSupport,
} from "../index.ts";
import { webEndpoint } from "./web-endpoint.ts";

export interface TestSession {
  readonly id: string;
  readonly principalId: string;
}

/** A gateway without policy: sessions in a map, tools and calls as the test says. */
export class TestGateway implements McpPorts<TestSession> {
  readonly stop = new AbortController();
  readonly stopping = this.stop.signal;
  readonly serverInfo = { name: "gateway", version: "1.2.3" };
  readonly calls: { readonly call: AgentRequest; readonly session: TestSession; readonly signal: AbortSignal }[] = [];
  readonly open = new Map<string, TestSession>();
  readonly labelled = new Map<string, TestSession>();
  readonly ended: string[] = [];
  readonly capabilities: JsonObject = { tools: {} };
  tools: readonly JsonObject[] = [];
  lists: (kind: ListKind, cursor: string | null) => ListPage | Promise<ListPage> = (kind) => ({
    items: kind === "tools" ? this.tools : [],
    nextCursor: null,
  });
  reply: (call: AgentRequest, session: TestSession, signal: AbortSignal, peer: Peer) => Outcome | Promise<Outcome> =
    () => ({ kind: "result", result: { content: [] } });

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

  /** The notifiers of everyone who listens. */
  readonly listeners = new Set<(method: string, params: JsonObject) => void>();

  list(_: Caller, __: TestSession, kind: ListKind, cursor: string | null): ListPage | Promise<ListPage> {
    return this.lists(kind, cursor);
  }

  support: ReadonlyMap<string, TaskSupport> = new Map();
  held: readonly TaskState[] = [];

  async taskSupport(): Promise<ReadonlyMap<string, TaskSupport>> {
    return this.support;
  }

  tasks(): readonly TaskState[] {
    return this.held;
  }

  async perform(_: Caller, session: TestSession, call: AgentRequest, peer: Peer): Promise<RpcBody> {
    this.calls.push({ call, session, signal: peer.signal });
    return peer.present(await this.reply(call, session, peer.signal, peer));
  }

  /** Ends every stream that is listened on. */
  endListening(): void {
    for (const end of this.#ends) end();
  }

  readonly #ends = new Set<() => void>();

  async listen(
    _: Caller,
    __: TestSession,
    filter: ListenFilter,
    { notify, end }: ListenStream,
    signal: AbortSignal,
  ): Promise<ListenFilter> {
    this.listeners.add(notify);
    this.#ends.add(end);
    signal.addEventListener("abort", () => this.listeners.delete(notify) && this.#ends.delete(end), { once: true });
    return filter;
  }
}

function toRequest(incoming: IncomingMessage, gone: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === "string") headers.set(name, value);
  const body = incoming.method === "POST" ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null;
  return new Request(`http://gateway${incoming.url ?? "/"}`, {
    method: incoming.method ?? "GET",
    headers,
    signal: gone,
    body,
    duplex: "half",
  });
}

type Handler = (request: Request, incoming: IncomingMessage) => Promise<Response>;

async function respond(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  const response = await handler(toRequest(incoming, gone.signal), incoming);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  for await (const chunk of response.body ?? []) outgoing.write(chunk);
  outgoing.end();
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
  const endpoint = webEndpoint(gateway);
  return await serve((request, incoming) =>
    endpoint(request, { principalId: incoming.headers["x-test-principal"]?.toString() ?? "alice" }),
  );
}
