import { connect, type Socket } from "node:net";

/** An HTTP/1.1 answer. */
export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

/** The bytes of one keep-alive request. */
export function requestBytes(
  method: "POST" | "DELETE",
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  path = "/mcp",
): Buffer {
  const fields = Object.entries({
    host: "127.0.0.1",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${fields.join("")}\r\n`);
  return Buffer.concat([head, Buffer.from(body)]);
}

/** One keep-alive connection that carries one request at a time, with as little work of its own as will do. */
export class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<Answer> | undefined;
  #broken: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Connection(socket);
  }

  /** Sends a request and waits for its whole answer. */
  exchange(request: Buffer): Promise<Answer> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    this.#waiting = Promise.withResolvers();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    this.#waiting?.reject(this.#broken);
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = parse(this.#received);
    if (answer === undefined) return;
    this.#received = Buffer.alloc(0);
    this.#waiting?.resolve(answer);
  }
}

/** The answer, once all of it is there: length-delimited or chunked (RFC 9112 section 6). */
function parse(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const start = end + HEAD_END.length;
  const body =
    headers.get("transfer-encoding") === "chunked"
      ? unchunk(bytes, start)
      : sized(bytes, start, Number(headers.get("content-length") ?? 0));
  return body === undefined ? undefined : { status: Number(statusLine.slice(9, 12)), headers, body };
}

function sized(bytes: Buffer, start: number, length: number): string | undefined {
  return bytes.length < start + length ? undefined : bytes.toString("latin1", start, start + length);
}

function unchunk(bytes: Buffer, start: number): string | undefined {
  let body = "";
  for (let at = start; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    const next = line + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return body;
    body += bytes.toString("latin1", line + 2, line + 2 + size);
    at = next;
  }
}
