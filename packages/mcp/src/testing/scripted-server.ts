import { once } from "node:events";
import { Server, connect, type AddressInfo, type Socket } from "node:net";
import { Server as TlsServer, type TlsOptions } from "node:tls";
import type { Duplex } from "node:stream";
import type { JsonObject } from "@cmcp/boundary";

export interface ScriptedRequest {
  readonly method: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly message: JsonObject;
}

/** An HTTP response as text, with a length. */
export function http(status: number, headers: Record<string, string>, body: string): string {
  const lines = Object.entries({ ...headers, "content-length": String(Buffer.byteLength(body)) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n${body}`;
}

export function json(value: JsonObject, headers: Record<string, string> = {}): string {
  return http(200, { "content-type": "application/json", ...headers }, JSON.stringify(value));
}

/** Starts a chunked event stream; more chunks follow. */
export const EVENT_STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/** When the socket is gone, be it closed or reset. */
export function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** One HTTP chunk. */
export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** One server-sent event in one HTTP chunk. */
export function event(value: JsonObject): string {
  return chunk(`event: message\ndata: ${JSON.stringify(value)}\n\n`);
}

export function reply(request: ScriptedRequest, result: JsonObject): JsonObject {
  return { jsonrpc: "2.0", id: request.message.id ?? null, result };
}

export type Script = (request: ScriptedRequest, socket: Socket) => void;

/** What a server says while its era is found out and a session is opened, where that is what a test is about. */
export interface Handshake {
  /** Absent: the server knows no such method, as servers of the legacy era. */
  readonly discover?: (request: ScriptedRequest) => string;
  readonly initialize?: (request: ScriptedRequest) => string;
  readonly initialized?: string;
}

/** Cuts one request off the front of what a socket sent. */
function takeRequest(bytes: Buffer): { request: ScriptedRequest; rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const bodyEnd = end + 4 + Number(headers.get("content-length") ?? 0);
  if (bytes.length < bodyEnd) return undefined;
  const body = bytes.subarray(end + 4, bodyEnd).toString();
  const message = body === "" ? {} : (JSON.parse(body) as JsonObject);
  return { request: { method: first.split(" ")[0] ?? "", headers, message }, rest: bytes.subarray(bodyEnd) };
}

/** An MCP server that says its era, opens sessions properly and does with everything else what the script says. */
export class ScriptedServer {
  readonly requests: ScriptedRequest[] = [];
  readonly sockets = new Set<Socket>();
  readonly dialled: Duplex[] = [];
  accepted = 0;
  /** False: `dial` fails from now on. */
  reachable = true;
  handshake: Handshake = {};
  readonly #server: Server;
  readonly #scheme: string;
  #arrived: () => void = () => undefined;

  constructor(server: Server, scheme: string) {
    this.#server = server;
    this.#scheme = scheme;
  }

  static async start(script: Script, tls?: TlsOptions): Promise<ScriptedServer> {
    const server = tls === undefined ? new Server() : new TlsServer(tls);
    const scripted = new ScriptedServer(server, tls === undefined ? "http" : "https");
    server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) =>
      scripted.#serve(socket, script),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return scripted;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): URL {
    return new URL(`${this.#scheme}://127.0.0.1:${this.port}/mcp`);
  }

  /** The byte relay of a test: TCP to wherever it is told. */
  readonly dial = async (host: string, port: number): Promise<Duplex> => {
    if (!this.reachable) throw new Error("unreachable");
    const socket = connect(port, host);
    this.dialled.push(socket);
    await once(socket, "connect");
    return socket;
  };

  /** The first request that matches, now or once it has arrived. */
  async arrival(matches: (request: ScriptedRequest) => boolean): Promise<ScriptedRequest> {
    for (;;) {
      const found = this.requests.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** Changes the certificate for connections from now on. */
  setSecureContext(options: TlsOptions): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(options);
  }

  calls(): ScriptedRequest[] {
    return this.requests.filter(({ message }) => message.method === "tools/call");
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: Socket, script: Script): void {
    this.accepted += 1;
    this.sockets.add(socket);
    // A client that drops a connection is what many of these tests are about.
    socket.on("error", () => undefined);
    let bytes: Buffer = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      for (let taken = takeRequest(bytes); taken !== undefined; taken = takeRequest(bytes)) {
        bytes = taken.rest;
        this.requests.push(taken.request);
        this.#answer(taken.request, socket, script);
        this.#arrived();
      }
    });
  }

  #answer(request: ScriptedRequest, socket: Socket, script: Script): void {
    const { method } = request.message;
    const { discover, initialize, initialized } = this.handshake;
    if (method === "server/discover") {
      const unknown = {
        jsonrpc: "2.0",
        id: request.message.id ?? null,
        error: { code: -32601, message: "Method not found" },
      };
      socket.write(discover === undefined ? json(unknown) : discover(request));
      return;
    }
    if (method === "initialize" && initialize !== undefined) {
      socket.write(initialize(request));
    } else if (method === "notifications/initialized" && initialized !== undefined) {
      socket.write(initialized);
    } else if (method === "initialize") {
      const opened = this.requests.filter(({ message }) => message.method === "initialize").length;
      const result = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "scripted", version: "1" },
      };
      socket.write(json(reply(request, result), { "mcp-session-id": `session-${opened}` }));
    } else if (
      method === "notifications/initialized" ||
      method === "notifications/cancelled" ||
      request.message.error !== undefined
    ) {
      socket.write(http(202, {}, ""));
    } else if (request.method === "DELETE") {
      socket.write(http(200, {}, ""));
    } else {
      script(request, socket);
    }
  }
}
