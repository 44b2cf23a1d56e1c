import { asCmcpError, CmcpError, type JsonObject } from "@cmcp/boundary";
import type { Dispatcher } from "undici";
import type { RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, errorText, resultText } from "../../jsonrpc/reply.ts";
import { HttpExchange, type HttpRequest } from "../exchange.ts";
import { protocolFault, upstreamFault, withSent } from "../fault.ts";
import type { UpstreamLimits } from "../options.ts";
import { readAnswer } from "./answer.ts";
import { readSessionId, type UpstreamSession } from "./session.ts";

/** The server does not know our session, so it ran nothing of what was sent in it (MCP, "Session Management"). */
export class SessionLost extends CmcpError {
  constructor() {
    super("UPSTREAM_PROTOCOL_ERROR", "the tool server does not know the session", { detail: { sent: 1, status: 404 } });
  }
}

/** How long an answered event stream may take to end before its connection is given up. */
const DRAIN_MS = 1_000;
/** How long a message nobody waits for may take: a cancellation, the end of a session. */
const COURTESY_MS = 5_000;
/** Requests a server may make within one answer. */
const MAX_SERVER_REQUESTS = 16;

/** An answered request. */
export interface Answered {
  readonly result: JsonObject;
  /** `Mcp-Session-Id` of the answer. */
  readonly sessionId: string | null;
}

/** JSON-RPC over streamable HTTP, as protocol versions with sessions have it. */
export class LegacyTransport {
  readonly #dispatcher: Dispatcher;
  readonly #path: string;
  readonly #limits: UpstreamLimits;
  readonly #background = new Set<Promise<void>>();
  #nextId = 1;
  #running = 0;

  constructor(dispatcher: Dispatcher, path: string, limits: UpstreamLimits) {
    this.#dispatcher = dispatcher;
    this.#path = path;
    this.#limits = limits;
  }

  /** Sends a request and returns its result. Every error says in `detail.sent` whether the request may have left. */
  async request(session: UpstreamSession | null, method: string, params: JsonObject, signal: AbortSignal): Promise<Answered> {
    const id = this.#nextId++;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const exchange = this.#open(this.#post(session, body), signal);
    try {
      const answered = await this.#answer(exchange, session, id, signal);
      exchange.release(DRAIN_MS);
      return answered;
    } catch (thrown) {
      exchange.abandon();
      const fault = asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read");
      if (exchange.sent && session !== null && (signal.aborted || this.#overran(fault))) this.#cancelled(session, id);
      throw thrown instanceof SessionLost ? thrown : withSent(fault, exchange.sent);
    }
  }

  /** Sends a message that has no result and waits until the server has taken it. */
  async send(session: UpstreamSession, body: string, signal: AbortSignal): Promise<void> {
    const status = await this.#deliver(this.#post(session, body), signal);
    if (status >= 300) throw protocolFault(`the tool server answered a notification with HTTP ${status}`, { status });
  }

  async #deliver(request: HttpRequest, signal: AbortSignal): Promise<number> {
    const exchange = this.#open(request, signal);
    try {
      const { status } = await exchange.head();
      exchange.release(DRAIN_MS);
      return status;
    } catch (thrown) {
      exchange.abandon();
      throw thrown;
    }
  }

  /** Tells the server that a session is over. It forgets sessions by itself too, so a failure changes nothing. Never throws. */
  async end(session: UpstreamSession): Promise<void> {
    if (session.id === null) return;
    const request: HttpRequest = { method: "DELETE", path: this.#path, headers: this.#headers(session), body: null };
    await this.#deliver(request, AbortSignal.timeout(COURTESY_MS)).then(() => undefined, () => undefined);
  }

  /** Waits for the messages nobody else waits for. */
  async settle(): Promise<void> {
    await Promise.all(this.#background);
  }

  #open(request: HttpRequest, signal: AbortSignal): HttpExchange {
    if (this.#running >= this.#limits.maxExchanges) {
      throw upstreamFault("OVERLOADED", "too many requests to this tool server", false);
    }
    const exchange = new HttpExchange(this.#dispatcher, request, this.#limits, signal);
    this.#running += 1;
    void exchange.closed.then(() => (this.#running -= 1));
    return exchange;
  }

  #headers(session: UpstreamSession | null): Record<string, string> {
    return {
      accept: "application/json, text/event-stream",
      "accept-encoding": "identity",
      ...(session === null ? {} : { "mcp-protocol-version": session.version }),
      ...(session?.id == null ? {} : { "mcp-session-id": session.id }),
    };
  }

  #post(session: UpstreamSession | null, body: string): HttpRequest {
    return { method: "POST", path: this.#path, headers: { ...this.#headers(session), "content-type": "application/json" }, body };
  }

  async #answer(exchange: HttpExchange, session: UpstreamSession | null, id: number, signal: AbortSignal): Promise<Answered> {
    const { status, headers } = await exchange.head();
    if (status === 404 && session !== null && session.id !== null) throw new SessionLost();
    if (status === 502 || status === 503 || status === 504) {
      throw upstreamFault("UPSTREAM_UNAVAILABLE", `the tool server answered HTTP ${status}`, true, { detail: { status } });
    }
    // Redirects are among these: one would lead away from the server that was approved.
    if (status !== 200) throw protocolFault(`the tool server answered HTTP ${status}`, { status });
    const sessionId = readSessionId(headers["mcp-session-id"]);
    let requests = 0;
    for await (const message of readAnswer(exchange, headers, this.#limits.maxResponseBytes)) {
      if (message.kind === "notification") continue;
      if (message.kind === "request") {
        requests += 1;
        if (requests > MAX_SERVER_REQUESTS) throw protocolFault("the tool server makes too many requests of its own");
        if (session !== null) await this.#refuse(session, message, signal);
        continue;
      }
      if (message.id !== id) throw protocolFault("the tool server answered another request's id");
      if (message.kind === "result") return { result: message.result, sessionId };
      const { code } = message.error;
      throw upstreamFault("UPSTREAM_CALL_REFUSED", `the tool server refused the request with JSON-RPC error ${code}`, true, { detail: { rpc_code: code } });
    }
    throw protocolFault("the tool server's answer ended without a reply");
  }

  /**
   * Answers a request of the server's own so that it does not wait: nothing is offered to servers, so
   * everything but `ping` is an unknown method. Nothing but its own id goes back, and a server that will
   * not take the answer is left to wait.
   */
  async #refuse(session: UpstreamSession, request: RpcRequest, signal: AbortSignal): Promise<void> {
    const body = request.method === "ping" ? resultText(request.id, {}) : errorText(request.id, RPC.methodNotFound, "method not supported", null);
    await this.#deliver(this.#post(session, body), signal);
  }

  /** True when a fault of ours ended the wait, so that the server may still be working. */
  #overran(fault: CmcpError): boolean {
    return fault.code === "UPSTREAM_TIMEOUT" || fault.code === "RESPONSE_SIZE_EXCEEDED";
  }

  /** MCP "Cancellation". Nobody waits for it, and a server that cannot be told changes nothing here. */
  #cancelled(session: UpstreamSession, id: number): void {
    const body = JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
    const told = this.#deliver(this.#post(session, body), AbortSignal.timeout(COURTESY_MS)).then(() => undefined, () => undefined);
    this.#background.add(told);
    void told.then(() => this.#background.delete(told));
  }
}
