import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { asCmcpError, CmcpError, ERROR_CODES, isJsonObject, parseJson, untrusted } from "@cmcp/boundary";
import type { Connection } from "@cmcp/client";
import { ownError } from "./own-error.ts";

const LOST = "the request did not reach the enclave, or its answer was lost";
/** Largest request of an agent, in bytes: what a gateway takes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Fields about a connection (RFC 9110 section 7.6.1), and those that are another connection's. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What a local endpoint passes requests on to. */
export interface LocalEndpointPorts {
  readonly connection: Pick<Connection, "fetch">;
  /** The gateway's base URL. */
  readonly gateway: URL;
  /** The bearer token of requests that have none of their own; `null` for none. */
  readonly token: string | null;
}

/** An HTTP endpoint on loopback whose requests go to an enclave, sealed. */
export interface LocalEndpoint {
  /** Its base URL. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves unchanged MCP clients on loopback. A page of another origin is refused, and so is a name that is not the loopback's: a page could
 * have bound it to this address. The enclave decides on this endpoint's own origin, as on any other.
 *
 * @throws CmcpError `USAGE` for a port that is taken
 */
export async function serveLocally(port: number, ports: LocalEndpointPorts): Promise<LocalEndpoint> {
  const server = createServer((request, response) => {
    pass(request, response, ports).catch((thrown: unknown) => {
      refuse(response, asCmcpError(thrown, "SEAL_OUTCOME_UNKNOWN", LOST));
    });
  });
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (thrown) {
    throw new CmcpError("USAGE", `--listen: port ${port} of 127.0.0.1 cannot be used`, { cause: thrown });
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { connection, gateway, token }: LocalEndpointPorts,
): Promise<void> {
  const { host = "", origin } = request.headers;
  const isOwn = origin === undefined || origin === `http://${host}`;
  if (!isOwn || !/^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i.test(host))
    throw new CmcpError(
      "ORIGIN_NOT_ALLOWED",
      "this endpoint is for programs of this machine, not for pages of a browser",
    );
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const { method = "GET", url = "/" } = request;
  const body = method === "GET" || method === "HEAD" ? null : await bodyOf(request);
  const answer = await connection.fetch(new URL(url.replace(/^\/+/, "./"), gateway), {
    method,
    headers: headersOf(request, token),
    signal: gone.signal,
    ...(body === null ? {} : { body }),
  });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.flushHeaders();
  try {
    for await (const piece of answer.body ?? [])
      if (!response.write(piece)) await Promise.race([once(response, "drain"), once(response, "close")]);
  } catch (thrown) {
    const id = body === null || !isEventStream(answer) ? null : idIn(body);
    if (id === null) throw thrown;
    // A stream of events can say why its last one does not come. Blank lines end what was cut off in its middle.
    response.write(`\n\nevent: message\ndata: ${ownError(id, asCmcpError(thrown, "SEAL_OUTCOME_UNKNOWN", LOST))}\n\n`);
  }
  response.end();
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** The id of the JSON-RPC request in a body; `null` for none. */
function idIn(body: Uint8Array): string | number | null {
  try {
    const message = parseJson(untrusted(body), { maxBytes: MAX_BODY_BYTES, maxDepth: 64, maxItems: 1_000_000 });
    const id = isJsonObject(message) ? message.id : undefined;
    return typeof id === "string" || typeof id === "number" ? id : null;
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}

function headersOf({ headers }: IncomingMessage, token: string | null): Headers {
  const passed = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !NOT_PASSED_ON.has(name))
      passed.set(name, Array.isArray(value) ? value.join(", ") : value);
  if (token !== null && !passed.has("authorization")) passed.set("authorization", `Bearer ${token}`);
  return passed;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_BODY_BYTES)
      throw new CmcpError("MCP_PAYLOAD_TOO_LARGE", `the request body exceeds ${MAX_BODY_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** An answer of this endpoint's own. Where one has begun, it is cut off: an end would say that it was whole. */
function refuse(response: ServerResponse, { code, message }: CmcpError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { http, action } = ERROR_CODES[code];
  response.writeHead(http ?? 502, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { code, message, action } }));
}
