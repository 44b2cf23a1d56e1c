import { echoableId, readMessage, type RequestId, type RpcMessage } from "../jsonrpc/message.ts";
import { RPC } from "../jsonrpc/reply.ts";
import { readJsonBody } from "./body.ts";
import type { Era } from "../protocol/era.ts";
import { checkEra, checkVersionSpoken, namesModern } from "./era.ts";
import { checkPostHeaders } from "./headers.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { LegacyDispatcher } from "./legacy/dispatch.ts";
import { OpenedSessions } from "./legacy/opened.ts";
import { ModernDispatcher } from "./modern/dispatch.ts";
import { DEFAULT_INGRESS_LIMITS, type Caller, type IngressLimits, type McpPorts } from "./ports.ts";
import { acceptsStream } from "./reply-stream.ts";
import { Refusal, asRefusal, invalidRequest, refusalResponse } from "./refusal.ts";

/** Answers one HTTP request to `/mcp`. Never throws and never rejects. */
export type McpEndpoint = (request: HttpRequest, caller: Caller) => Promise<HttpResponse>;

/**
 * The MCP endpoint agents talk to (streamable HTTP, both eras), and the plain single POST with neither a
 * session handle nor an envelope. The caller is authenticated and its Origin checked before this is called.
 *
 * A refused request is a JSON-RPC error with `data.error_code`. Its HTTP status is the code's own, but 200
 * where clients take any other for a fault of the transport: inside a session that `initialize` opened, and
 * for a modern request that was understood (there 400 and 404 say that it was not).
 */
export function createMcpEndpoint<Session extends object>(
  ports: McpPorts<Session>,
  limits: IngressLimits = DEFAULT_INGRESS_LIMITS,
): McpEndpoint {
  const sessions = new OpenedSessions(ports, limits.maxInFlight);
  const dispatcher = new LegacyDispatcher(ports, sessions);
  const modern = new ModernDispatcher(ports, limits.maxInFlight);

  async function readPost(
    request: HttpRequest,
  ): Promise<
    ({ message: RpcMessage; era: Era } | { refusal: Refusal; id: RequestId | null }) & { byteLength: number }
  > {
    checkPostHeaders(request.headers);
    const { value, byteLength } = await readJsonBody(request, limits.maxBodyBytes);
    try {
      const message = readMessage(value);
      return { message, era: checkEra(message, request.headers), byteLength };
    } catch (thrown) {
      const refusal = asRefusal(thrown);
      const own = refusal.rpcCode === RPC.refused ? invalidRequest(refusal.message) : refusal;
      return { refusal: own, id: echoableId(value), byteLength };
    }
  }

  async function post(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    const read = await readPost(request);
    if ("refusal" in read) return refusalResponse(read.refusal, read.id);
    try {
      return await answer(read, request, caller);
    } finally {
      // What was read of it is held as long as the request waits or runs, until its answer begins.
      request.buffered?.give(read.byteLength);
    }
  }

  async function answer(
    { message, era }: { message: RpcMessage; era: Era },
    request: HttpRequest,
    caller: Caller,
  ): Promise<HttpResponse> {
    const { headers, signal: gone, buffered } = request;
    if (era === "modern") return await modern.answer(message, { caller, headers, gone, buffered });
    const id = message.kind === "request" ? message.id : null;
    let inSession = false;
    try {
      const opened = sessions.fromHeaders(headers, caller);
      inSession = opened !== undefined;
      const inbound = { caller, headers, opened, gone, buffered };
      if (message.kind === "request") return await dispatcher.request(message, inbound);
      if (message.kind === "notification") dispatcher.notification(message, inbound);
      else dispatcher.answer(message, inbound);
      return { status: 202, headers: {}, body: null };
    } catch (thrown) {
      const refusal = asRefusal(thrown);
      return refusalResponse(refusal, id, inSession ? 200 : refusal.status);
    }
  }

  async function end(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    checkVersionSpoken(request.headers);
    const opened = sessions.fromHeaders(request.headers, caller);
    if (opened === undefined) throw invalidRequest("DELETE needs the Mcp-Session-Id of the session to end");
    opened.inFlight.cancelAll();
    await ports.sessions.end(caller, opened.session);
    return { status: 204, headers: {}, body: null };
  }

  /** MCP 2025-11-25, "Listening for Messages from the Server". */
  async function listen(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    checkVersionSpoken(request.headers);
    const opened = sessions.fromHeaders(request.headers, caller);
    if (opened === undefined) throw invalidRequest("GET needs the Mcp-Session-Id of the session to listen to");
    if (!acceptsStream(request.headers)) throw invalidRequest("Accept must allow text/event-stream", 406);
    return await dispatcher.listen(caller, opened, request.signal, request.buffered);
  }

  return async (request, caller) => {
    try {
      if (request.method === "POST") return await post(request, caller);
      // The modern era has no sessions to listen to or to end, and takes POST alone.
      const allowed = namesModern(request.headers) ? ["POST"] : ["POST", "GET", "DELETE"];
      if (request.method === "GET" && allowed.includes("GET")) return await listen(request, caller);
      if (request.method === "DELETE" && allowed.includes("DELETE")) return await end(request, caller);
      const refused = new Refusal(
        "METHOD_NOT_ALLOWED",
        RPC.invalidRequest,
        `this endpoint takes ${allowed.join(", ")}`,
      );
      const response = refusalResponse(refused, null);
      return { ...response, headers: { ...response.headers, allow: allowed.join(", ") } };
    } catch (thrown) {
      return refusalResponse(asRefusal(thrown), null);
    }
  };
}
