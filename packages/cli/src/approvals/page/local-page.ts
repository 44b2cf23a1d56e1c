import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { asCmcpError, CmcpError, ERROR_CODES } from "@cmcp/boundary";
import { guardedPath, type PageAddress } from "./page-guard.ts";
import type { PageFile } from "./page-files.ts";

/** Largest body of the page's requests, in bytes: an answer with a passkey's assertion. */
const MAX_BODY_BYTES = 16 * 1024;
const SECRET_BYTES = 32;
/** What a machine without IPv6 says to one who listens there. */
const NO_SUCH_ADDRESS: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Headers of every answer. The page runs its own script and no other, inserts no text as markup, is in no frame, keeps nothing, and tells nobody
 * its address.
 */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** A request of the page, below `api/`. */
export interface PageRequest {
  readonly method: "GET" | "POST";
  /** What follows `api/`. */
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What answers the page's requests; `null` for a path that is none. */
export type PageApi = (request: PageRequest) => Promise<object | null>;

/** What the page is made of. */
export interface LocalPagePorts {
  readonly files: ReadonlyMap<string, PageFile>;
  /** Made once the address is known. */
  readonly api: (address: Pick<PageAddress, "origin">) => PageApi;
}

/** A page on this machine, for one person. */
export interface LocalPage {
  /** Its address, which has a secret part. */
  readonly url: string;
  /** Resolves once every request that has come is answered. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Serves a page on `http://localhost`, at both addresses of this name: who had the other could serve a page of this origin.
 *
 * @throws CmcpError `USAGE` for a port that is taken at either
 */
export async function servePage(port: number, { files, api }: LocalPagePorts): Promise<LocalPage> {
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const open = new Set<Promise<unknown>>();
  let served: Served | null = null;
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const ended = once(response, "close").finally(() => open.delete(ended));
    open.add(ended);
    // Nobody knows the address before it is returned.
    if (served === null) response.destroy();
    else serve(request, response, served).catch((thrown: unknown) => refuse(response, thrown));
  };
  const servers = [await listen(port, "127.0.0.1", take)];
  const bound = portOf(servers);
  try {
    servers.push(...(await listenWhereKnown(bound, "::1", take)));
  } catch (thrown) {
    await closeAll(servers);
    throw thrown;
  }
  const address: PageAddress = { origin: `http://localhost:${bound}`, secret };
  served = { files, answer: api(address), address };
  return {
    url: `${address.origin}/${secret}/`,
    idle: async () => void (await Promise.allSettled(open)),
    close: async () => await closeAll(servers),
  };
}

type Take = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(port: number, host: string, take: Take): Promise<Server> {
  const server = createServer(take);
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (thrown) {
    throw new CmcpError("USAGE", `--listen: port ${port} of ${host} cannot be used`, { cause: thrown });
  }
  return server;
}

/** A machine without IPv6 has nobody at that address. */
async function listenWhereKnown(port: number, host: string, take: Take): Promise<readonly Server[]> {
  try {
    return [await listen(port, host, take)];
  } catch (thrown) {
    const { cause } = thrown as CmcpError;
    const isUnknown = cause instanceof Error && "code" in cause && NO_SUCH_ADDRESS.has(String(cause.code));
    if (isUnknown) return [];
    throw thrown;
  }
}

function portOf([server]: readonly Server[]): number {
  const address = server?.address();
  if (address === null || typeof address !== "object") throw new CmcpError("INTERNAL", "the page has no port");
  return address.port;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

interface Served {
  readonly files: ReadonlyMap<string, PageFile>;
  readonly answer: PageApi;
  readonly address: PageAddress;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { files, answer, address }: Served,
): Promise<void> {
  const { method = "", url = "", headers } = request;
  const path = guardedPath({ method, url, headers }, address);
  if (method !== "GET" && method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", "the page takes GET and POST");
  if (!path.startsWith("api/")) {
    const file = files.get(path);
    if (file === undefined) throw new CmcpError("NOT_FOUND", "the page has no such file");
    response.writeHead(200, { ...HEADERS, "content-type": file.type });
    response.end(file.bytes);
    return;
  }
  const result = await answer({ method, path: path.slice(4), body: await bodyOf(request) });
  if (result === null) throw new CmcpError("NOT_FOUND", "the page asks for nothing of the kind");
  response.writeHead(200, { ...HEADERS, "content-type": "application/json" });
  response.end(JSON.stringify(result));
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_BODY_BYTES)
      throw new CmcpError("MCP_PAYLOAD_TOO_LARGE", `the page sends at most ${MAX_BODY_BYTES} bytes`);
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function refuse(response: ServerResponse, thrown: unknown): void {
  const { code, message } = asCmcpError(thrown, "INTERNAL", "the command failed");
  const { http, action } = ERROR_CODES[code];
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(http ?? 502, { ...HEADERS, "content-type": "application/json" });
  response.end(JSON.stringify({ error: { code, message, action } }));
}
