import { asCmcpError, CmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, errorText, resultText } from "../../jsonrpc/reply.ts";
import { readAnswer, readRefusal } from "../answer.ts";
import type { HttpExchange } from "../exchange.ts";
import { DRAIN_MS, type Exchanges } from "../exchanges.ts";
import { protocolFault, refusalFault, withSent } from "../fault.ts";
import { readSessionId, type UpstreamSession } from "./session.ts";

/** The server does not know our session, so it ran nothing of what was sent in it (MCP, "Session Management"). */
export class SessionLost extends CmcpError {
  constructor() {
    super("UPSTREAM_PROTOCOL_ERROR", "the tool server does not know the session", { detail: { sent: 1, status: 404 } });
  }
}

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

function sessionHeaders(session: UpstreamSession | null): Record<string, string> {
  return {
    ...(session === null ? {} : { "mcp-protocol-version": session.version }),
    ...(session?.id == null ? {} : { "mcp-session-id": session.id }),
  };
}

/** JSON-RPC over streamable HTTP, as protocol versions with sessions have it. */
export class LegacyTransport {
  readonly #exchanges: Exchanges;
  readonly #background = new Set<Promise<void>>();
  #nextId = 1;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  /** Sends a request and returns its result. Every error says in `detail.sent` whether the request may have left. */
  async request(session: UpstreamSession | null, method: string, params: JsonObject, signal: AbortSignal): Promise<Answered> {
    const id = this.#nextId++;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const exchange = this.#exchanges.post(sessionHeaders(session), body, signal);
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
    const status = await this.#delivered(this.#exchanges.post(sessionHeaders(session), body, signal));
    if (status >= 300) throw protocolFault(`the tool server answered a notification with HTTP ${status}`, { status });
  }

  async #delivered(exchange: HttpExchange): Promise<number> {
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
    await this.#quietly(() => this.#exchanges.delete(sessionHeaders(session), AbortSignal.timeout(COURTESY_MS)));
  }

  /** Waits for the messages nobody else waits for. */
  async settle(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** Sends what nobody needs an answer to. */
  async #quietly(open: () => HttpExchange): Promise<void> {
    const sent = async (): Promise<number> => this.#delivered(open());
    await sent().then(() => undefined, () => undefined);
  }

  async #answer(exchange: HttpExchange, session: UpstreamSession | null, id: number, signal: AbortSignal): Promise<Answered> {
    const { status, headers } = await exchange.head();
    if (status === 404 && session !== null && session.id !== null) throw new SessionLost();
    const { maxResponseBytes } = this.#exchanges.limits;
    if (status !== 200) throw await readRefusal(exchange, status, headers, id, maxResponseBytes);
    const sessionId = readSessionId(headers["mcp-session-id"]);
    let requests = 0;
    for await (const message of readAnswer(exchange, headers, maxResponseBytes)) {
      if (message.kind === "notification") continue;
      if (message.kind === "request") {
        requests += 1;
        if (requests > MAX_SERVER_REQUESTS) throw protocolFault("the tool server makes too many requests of its own");
        if (session !== null) await this.#refuse(session, message, signal);
        continue;
      }
      if (message.id !== id) throw protocolFault("the tool server answered another request's id");
      if (message.kind === "result") return { result: message.result, sessionId };
      throw refusalFault(message.error.code);
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
    await this.#delivered(this.#exchanges.post(sessionHeaders(session), body, signal));
  }

  /** True when a fault of ours ended the wait, so that the server may still be working. */
  #overran(fault: CmcpError): boolean {
    return fault.code === "UPSTREAM_TIMEOUT" || fault.code === "RESPONSE_SIZE_EXCEEDED";
  }

  /** MCP "Cancellation". Nobody waits for it, and a server that cannot be told changes nothing here. */
  #cancelled(session: UpstreamSession, id: number): void {
    const body = JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
    const told = this.#quietly(() => this.#exchanges.post(sessionHeaders(session), body, AbortSignal.timeout(COURTESY_MS)));
    this.#background.add(told);
    void told.then(() => this.#background.delete(told));
  }
}
