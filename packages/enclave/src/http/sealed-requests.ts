import { asCmcpError, CmcpError, type BufferShare } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse, RequestHeaders } from "@cmcp/mcp";
import {
  encodeResponse,
  openRequest,
  padMessage,
  padStream,
  readRequest,
  SEALED_REQUEST_TYPE,
  SEALED_RESPONSE_TYPE,
  streamResponse,
  type Field,
  type MessageLimits,
  type OpenedRequest,
  type RequestHead,
  type ResponseHead,
} from "@cmcp/seal";
import type { SealKeys } from "../instance/seal-keys.ts";
import { errorJson } from "./json-response.ts";

/** Path of sealed requests. */
export const SEALED_PATH = "/sealed";
/** The base for parsing inner paths. No request goes there. */
const REQUEST_ORIGIN = "http://enclave.invalid";
/** What the host says about a peer has this prefix. An agent has no such field, and its host says it outside of the seal. */
const HOST_ASSERTED = "x-cmcp-host-asserted-";
/** Content of an inner request, and the padding to the next power of two. */
const LIMITS: MessageLimits = { contentBytes: 4 * 1024 * 1024, paddingBytes: 4 * 1024 * 1024 };

/** How a request came to the router. */
export interface Ingress {
  readonly channel: "plain" | "sealed";
  /**
   * Called once the caller is authenticated, before anything is done.
   * @throws CmcpError `SEAL_REPLAYED`
   */
  readonly authenticated: () => void;
}

/** A request in the clear. */
export const PLAIN: Ingress = { channel: "plain", authenticated: () => undefined };

/** What answers sealed requests. */
export interface SealedRequestPorts {
  readonly keys: Pick<SealKeys, "keyOf" | "take">;
  /** Answers the request that was inside. It throws nothing: an error is an answer, and is sealed as one. */
  readonly handle: (request: HttpRequest, ingress: Ingress) => Promise<HttpResponse>;
  /** Whether answers are padded. */
  readonly padding: boolean;
}

/**
 * Answers `POST /sealed`: opens the request to its end, hands it on as a request of its own, and seals the answer, each piece when it is
 * written. Whatever does not open has one answer, which is not sealed.
 *
 * @throws CmcpError `SEAL_NOT_OPENED`; `METHOD_NOT_ALLOWED`, `MCP_INVALID_REQUEST` for what is no sealed request; `OVERLOADED`
 */
export async function answerSealed(parts: SealedRequestPorts, outer: HttpRequest): Promise<HttpResponse> {
  if (outer.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", `${SEALED_PATH} takes POST`);
  if (outer.headers.get("content-type") !== SEALED_REQUEST_TYPE || outer.body === null)
    throw new CmcpError("MCP_INVALID_REQUEST", `${SEALED_PATH} takes content of the type ${SEALED_REQUEST_TYPE}`);
  const opened = await openRequest(outer.body, (id) => parts.keys.keyOf(id));
  const answer = await innerAnswer(parts, opened, outer);
  const sealed = opened.sealAnswer(piecesOf(answer, parts.padding, outer.buffered));
  const isWhole = answer.body === null || typeof answer.body === "string";
  return {
    status: 200,
    headers: { "content-type": SEALED_RESPONSE_TYPE, "cache-control": "no-store" },
    // Each piece is a frame of the link and a write of the host. An answer that is there as a whole is one.
    body: isWhole ? replay([await joinPieces(sealed)]) : sealed,
  };
}

/** The answer to the request inside. What is wrong with a request that opened is told to who sealed it, and not to the host. */
async function innerAnswer(
  { keys, handle }: SealedRequestPorts,
  opened: OpenedRequest,
  outer: HttpRequest,
): Promise<HttpResponse> {
  let request: HttpRequest;
  try {
    request = await innerRequest(opened, outer);
  } catch (thrown) {
    const error = asCmcpError(thrown, "SEAL_NOT_OPENED", "the sealed message does not open");
    if (error.code === "SEAL_NOT_OPENED") throw error;
    return errorJson(error);
  }
  return await handle(request, {
    channel: "sealed",
    authenticated: () => keys.take(opened.keyId, opened.encapsulated),
  });
}

/** The request inside, once its last chunk has opened: before that nothing of it is acted on. */
async function innerRequest(opened: OpenedRequest, outer: HttpRequest): Promise<HttpRequest> {
  const { head, content } = await readRequest(opened.message, LIMITS);
  const pieces = await collectPieces(content, outer.buffered);
  const { method, path } = head;
  requirePlainPath(path);
  const hasBody = method !== "GET" && method !== "HEAD";
  return {
    method,
    url: `${REQUEST_ORIGIN}${path}`,
    headers: innerHeaders(head, outer.headers),
    body: hasBody ? replay(pieces) : null,
    whole: () => (hasBody ? pieces : null),
    signal: outer.signal,
    ...(outer.buffered === undefined ? {} : { buffered: outer.buffered }),
  };
}

/** Holds a path to the one spelling that it has: `/mcp/../mcp/a` would be the endpoint of `a`, too. */
function requirePlainPath(path: string): void {
  if (!path.startsWith("/") || path.startsWith("//"))
    throw new CmcpError("BINARY_HTTP_INVALID", "the path of a sealed request begins with one slash");
  const { pathname, search } = new URL(`${REQUEST_ORIGIN}${path}`);
  if (`${pathname}${search}` === path) return;
  throw new CmcpError("BINARY_HTTP_INVALID", "the path of a sealed request is as a URL has it: without dot segments");
}

async function collectPieces(
  content: AsyncIterable<Uint8Array>,
  share: BufferShare | undefined,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) {
    // It stays counted until the exchange is over, as it is held for as long.
    share?.take(piece.byteLength);
    pieces.push(piece.slice());
  }
  return pieces;
}

async function joinPieces(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

async function* replay(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

/** The fields inside, each name once. What the host asserts about the peer is read outside, and nowhere else. */
function innerHeaders({ fields }: RequestHead, outer: RequestHeaders): RequestHeaders {
  const byName = new Map<string, string>();
  for (const { name, value } of fields) {
    if (name.startsWith(HOST_ASSERTED))
      throw new CmcpError("BINARY_HTTP_INVALID", `a sealed request has no field ${name}: only a host says that`);
    if (byName.has(name))
      throw new CmcpError("BINARY_HTTP_INVALID", `a sealed request has the field ${name} more than once`);
    byName.set(name, value);
  }
  return { get: (name) => (name.startsWith(HOST_ASSERTED) ? outer.get(name) : (byName.get(name) ?? null)) };
}

/**
 * The answer as Binary HTTP. One in one piece is padded as a whole, and is held and counted until the agent has read it.
 * @throws CmcpError `OVERLOADED` where there is no room for it
 */
function piecesOf(
  { status, headers, body }: HttpResponse,
  padding: boolean,
  share: BufferShare | undefined,
): AsyncIterable<Uint8Array> {
  const fields: Field[] = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const head: ResponseHead = { informational: [], status, fields };
  if (body === null || typeof body === "string") {
    const message = encodeResponse(head, { content: Buffer.from(body ?? "") });
    share?.take(message.byteLength);
    return replay([padding ? padMessage(message) : message]);
  }
  const stream = streamResponse(head, { content: body });
  return padding ? padStream(stream) : stream;
}
