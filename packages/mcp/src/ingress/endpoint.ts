import { echoableId, readMessage, type RequestId, type RpcMessage } from "../jsonrpc/message.ts";
import { RPC } from "../jsonrpc/reply.ts";
import { readJsonBody } from "./body.ts";
import type { Era } from "../protocol/era.ts";
import { checkEra, checkVersionSpoken, namesModern } from "./era.ts";
import { checkPostHeaders } from "./headers.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { LegacyDispatcher } from "./legacy/dispatch.ts";
import { OpenedSessions } from "./legacy/opened-sessions.ts";
import { ModernDispatcher } from "./modern/dispatch.ts";
import { DEFAULT_INGRESS_LIMITS, type Caller, type IngressLimits, type McpPorts } from "./ports.ts";
import { acceptsStream } from "./reply-stream.ts";
import { Refusal, asRefusal, invalidRequest, refusalResponse } from "./refusal.ts";

/** Answers one HTTP request to `/mcp`. Never throws and never rejects. */
export type McpEndpoint = (request: HttpRequest, caller: Caller) => Promise<HttpResponse>;

/** A message that was read from a POST, or why there is none. */
type Read = ({ message: RpcMessage; era: Era } | { refusal: Refusal; id: RequestId | null }) & { byteLength: number };

/** @throws Refusal for headers and bodies that are not read */
async function readPost(request: HttpRequest, maxBodyBytes: number): Promise<Read> {
  checkPostHeaders(request.headers);
  const { value, byteLength } = await readJsonBody(request, maxBodyBytes);
  try {
    const message = readMessage(value);
    return { message, era: checkEra(message, request.headers), byteLength };
  } catch (thrown) {
    const refusal = asRefusal(thrown);
    const own = refusal.rpcCode === RPC.refused ? invalidRequest(refusal.message) : refusal;
    return { refusal: own, id: echoableId(value), byteLength };
  }
}

function methodNotAllowed(allowed: readonly string[]): HttpResponse {
  const allow = allowed.join(", ");
  const refused = new Refusal("METHOD_NOT_ALLOWED", RPC.invalidRequest, `this endpoint takes ${allow}`);
  const response = refusalResponse(refused, null);
  return { ...response, headers: { ...response.headers, allow } };
}

/** What {@link createMcpEndpoint} makes: one method for each kind of HTTP request. */
class Endpoint<Session extends object> {
  readonly #ports: McpPorts<Session>;
  readonly #maxBodyBytes: number;
  readonly #sessions: OpenedSessions<Session>;
  readonly #legacy: LegacyDispatcher<Session>;
  readonly #modern: ModernDispatcher<Session>;

  constructor(ports: McpPorts<Session>, { maxBodyBytes, maxInFlight }: IngressLimits) {
    this.#ports = ports;
    this.#maxBodyBytes = maxBodyBytes;
    this.#sessions = new OpenedSessions(ports, maxInFlight);
    this.#legacy = new LegacyDispatcher(ports, this.#sessions);
    this.#modern = new ModernDispatcher(ports, maxInFlight);
  }

  async handle(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    try {
      if (request.method === "POST") return await this.#post(request, caller);
      // The modern era has no sessions to listen to or to end, and takes POST alone.
      if (namesModern(request.headers)) return methodNotAllowed(["POST"]);
      if (request.method === "GET") return await this.#listen(request, caller);
      if (request.method === "DELETE") return await this.#end(request, caller);
      return methodNotAllowed(["POST", "GET", "DELETE"]);
    } catch (thrown) {
      return refusalResponse(asRefusal(thrown), null);
    }
  }

  async #post(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    const read = await readPost(request, this.#maxBodyBytes);
    if ("refusal" in read) return refusalResponse(read.refusal, read.id);
    try {
      const { headers, signal: gone, buffered } = request;
      if (read.era === "modern") return await this.#modern.answer(read.message, { caller, headers, gone, buffered });
      return await this.#answerLegacy(read.message, request, caller);
    } finally {
      // What was read of it is held as long as the request waits or runs, until its answer begins.
      request.buffered?.release(read.byteLength);
    }
  }

  async #answerLegacy(message: RpcMessage, request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    const { headers, signal: gone, buffered } = request;
    const id = message.kind === "request" ? message.id : null;
    let inSession = false;
    try {
      const opened = this.#sessions.fromHeaders(headers, caller);
      inSession = opened !== undefined;
      const inbound = { caller, headers, opened, gone, buffered };
      if (message.kind === "request") return await this.#legacy.request(message, inbound);
      if (message.kind === "notification") this.#legacy.notification(message, inbound);
      else this.#legacy.answer(message, inbound);
      return { status: 202, headers: {}, body: null };
    } catch (thrown) {
      const refusal = asRefusal(thrown);
      return refusalResponse(refusal, id, inSession ? 200 : refusal.status);
    }
  }

  async #end({ headers }: HttpRequest, caller: Caller): Promise<HttpResponse> {
    checkVersionSpoken(headers);
    const opened = this.#sessions.fromHeaders(headers, caller);
    if (opened === undefined) throw invalidRequest("DELETE needs the Mcp-Session-Id of the session to end");
    opened.inFlight.cancelAll();
    await this.#ports.sessions.end(caller, opened.session);
    return { status: 204, headers: {}, body: null };
  }

  /** MCP 2025-11-25, "Listening for Messages from the Server". */
  async #listen({ headers, signal, buffered }: HttpRequest, caller: Caller): Promise<HttpResponse> {
    checkVersionSpoken(headers);
    const opened = this.#sessions.fromHeaders(headers, caller);
    if (opened === undefined) throw invalidRequest("GET needs the Mcp-Session-Id of the session to listen to");
    if (!acceptsStream(headers)) throw invalidRequest("Accept must allow text/event-stream", 406);
    return await this.#legacy.listen(caller, opened, signal, buffered);
  }
}

/**
 * The MCP endpoint agents talk to (streamable HTTP, both eras), and the plain single POST with neither a
 * session handle nor an envelope. The caller is authenticated and its Origin checked before this is called.
 *
 * A refused request is a JSON-RPC error with `data.error_code`. Its HTTP status is the code's own, except where
 * clients take any status but 200 for a fault of the transport. That is so inside a session that `initialize` opened,
 * and for a modern request that was understood (there 400 and 404 say that it was not).
 */
export function createMcpEndpoint<Session extends object>(
  ports: McpPorts<Session>,
  limits: IngressLimits = DEFAULT_INGRESS_LIMITS,
): McpEndpoint {
  const endpoint = new Endpoint(ports, limits);
  return (request, caller) => endpoint.handle(request, caller);
}
