import { CmcpError, asCmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcRequest } from "../../jsonrpc/message.ts";
import { hasBatches } from "../../versions.ts";
import { readAnswer, readRefusal, type StreamPosition } from "../answer.ts";
import type { ExchangeCaller, HttpExchange } from "../exchange.ts";
import { authenticationOf } from "../cancellation.ts";
import { DRAIN_MS, type Exchanges } from "../exchanges.ts";
import { protocolFault, withSent } from "../fault.ts";
import { silentPeer, type Peer } from "../../peer.ts";
import { AbortScope, EndSignal } from "../../abort-scope.ts";
import { listeningLimits, type ActiveCaller } from "../listening.ts";
import { Progress } from "../progress.ts";
import { UpstreamRefusal } from "../refusal.ts";
import { Resumption } from "./resumption.ts";
import { NotResumed, SessionLost } from "./session-fault.ts";
import { readSessionId, type UpstreamSession } from "./session.ts";

/** How long a message nobody waits for may take: a cancellation, the end of a session. */
const COURTESY_MS = 5_000;
/** Requests a server may make within one answer, and have open on one stream of its own. */
const MAX_SERVER_REQUESTS = 16;

/** MCP "Cancellation": from either side, of its own request. */
const CANCELLED = "notifications/cancelled";
/** HTTP statuses of a server that offers no stream of its own. */
const NO_STREAM: readonly number[] = [404, 405, 406, 501];

/** An answered request. */
export interface LegacyAnswer {
  readonly result: JsonObject;
  /** `Mcp-Session-Id` of the answer. */
  readonly sessionId: string | null;
}

/** A request whose answer is being read. */
interface PendingRequest {
  readonly id: number;
  readonly session: UpstreamSession | null;
  readonly peer: Peer;
  /** Aborts when the answer is given up. */
  readonly signal: AbortSignal;
  /** Once the answer is complete, or will never be: nobody needs to know any more. */
  readonly over: EndSignal;
  readonly progress: Progress;
  /** What the server has asked meanwhile; `null` while that is nothing. */
  own: ServerRequestCount | null;
}

/** Requests of a server's own within one answer. */
interface ServerRequestCount {
  /** All so far. */
  count: number;
  readonly answering: Set<Promise<void>>;
}

/** Who the exchanges of a request are for. */
function callerOf({ signal, peer }: PendingRequest): ExchangeCaller {
  return { ...authenticationOf(peer), signal };
}

/** The headers that name a session. */
export function sessionHeaders(session: UpstreamSession | null): Record<string, string> {
  return {
    ...(session === null ? {} : { "mcp-protocol-version": session.version }),
    ...(session?.id == null ? {} : { "mcp-session-id": session.id }),
  };
}

function isLostConnection(thrown: unknown): thrown is CmcpError {
  return thrown instanceof CmcpError && thrown.code === "UPSTREAM_UNAVAILABLE";
}

/** JSON-RPC over streamable HTTP, as protocol versions with sessions have it. */
export class LegacyTransport {
  readonly #exchanges: Exchanges;
  readonly #streams: Exchanges;
  readonly #background = new Set<Promise<void>>();
  #nextId = 1;

  /** @param streams exchanges of their own for what stays open, so that calls never wait for it */
  constructor(exchanges: Exchanges, streams: Exchanges) {
    this.#exchanges = exchanges;
    this.#streams = streams;
  }

  /** Sends a request and returns its result. Every error says in `detail.sent` whether the request may have left. */
  async request(
    session: UpstreamSession | null,
    method: string,
    params: JsonObject,
    peer: Peer,
  ): Promise<LegacyAnswer> {
    const id = this.#nextId++;
    const scope = new AbortScope(peer.signal);
    const over = new EndSignal(scope.signal);
    const pending: PendingRequest = {
      id,
      session,
      peer,
      signal: scope.signal,
      over,
      progress: new Progress(peer, id),
      own: null,
    };
    const left = session?.router.run(id, {
      method,
      peer,
      progress: pending.progress,
      over,
      fail: (why) => scope.abort(why),
    });
    let exchange: HttpExchange | undefined;
    let unanswered = true;
    try {
      const meta = pending.progress.meta(params);
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id,
        method,
        params: Object.keys(meta).length === 0 ? params : { ...params, _meta: meta },
      });
      exchange = this.#exchanges.post(sessionHeaders(session), body, callerOf(pending));
      const answered = await this.#answered(exchange, pending);
      unanswered = false;
      return answered;
    } catch (thrown) {
      const sent = exchange?.sent === true;
      unanswered = sent && !(thrown instanceof UpstreamRefusal);
      const fault = asCmcpError(
        scope.signal.aborted && !(thrown instanceof CmcpError) ? scope.signal.reason : thrown,
        peer.signal.aborted ? "REQUEST_CANCELLED" : "INTERNAL",
        "the tool server's answer could not be read",
      );
      if (sent && session !== null && (peer.signal.aborted || this.#mayStillRun(fault)))
        this.#sendCancellation(session, id);
      throw thrown instanceof SessionLost ? thrown : withSent(fault, sent);
    } finally {
      left?.(unanswered ? this.#exchanges.limits.totalMs : 0);
      scope.release();
      over.end();
    }
  }

  /** Reads the answer, going on with an event stream that ended, or whose connection was lost, before it was complete. */
  async #answered(first: HttpExchange, pending: PendingRequest): Promise<LegacyAnswer> {
    const resumption = new Resumption();
    let exchange = first;
    for (;;) {
      let lost: CmcpError | null = null;
      try {
        const answered = await this.#answer(exchange, pending, resumption.position, exchange !== first);
        exchange.release(DRAIN_MS);
        if (answered !== null) return answered;
      } catch (thrown) {
        exchange.abandon();
        if (!isLostConnection(thrown) || pending.signal.aborted) throw thrown;
        lost = thrown;
      }
      // Nothing that is said before there is a session can be gone on with.
      if (pending.session === null) throw lost ?? protocolFault("the tool server's answer ended without a reply");
      const lastEventId = await resumption.due(lost, this.#exchanges.limits.idleMs, pending.signal);
      exchange = this.#exchanges.get(
        { ...sessionHeaders(pending.session), "last-event-id": lastEventId },
        callerOf(pending),
      );
      for (const answering of pending.own?.answering ?? []) void exchange.hold(answering);
    }
  }

  /**
   * Reads the session's own stream until it ends (MCP 2025-11-25, "Listening for Messages from the Server").
   * @param opened called once the stream is there
   * @param position kept up to date with how long the server wants its client to wait
   * @returns false when the server offers no such stream
   * @throws SessionLost
   */
  async listen(
    session: UpstreamSession,
    opened: () => void,
    signal: AbortSignal,
    position: StreamPosition,
  ): Promise<boolean> {
    const limits = listeningLimits(this.#exchanges.limits);
    const exchange = this.#streams.get(sessionHeaders(session), { signal }, limits);
    try {
      const { status, headers } = await exchange.head();
      if (status === 404 && session.id !== null) throw new SessionLost();
      if (NO_STREAM.includes(status) || (status === 400 && (await this.#knowsSession(session, signal)))) return false;
      if (status !== 200) throw protocolFault(`the tool server answered HTTP ${status}`, { status });
      opened();
      let open = 0;
      for await (const message of readAnswer(exchange, headers, limits.maxResponseBytes, {
        position,
        batches: hasBatches(session.version),
      })) {
        if (message.kind === "notification") {
          if (message.method === CANCELLED) session.requests.cancel(message.params);
          else await exchange.hold(session.router.said(message));
        } else if (message.kind === "request") {
          if (open >= MAX_SERVER_REQUESTS) throw protocolFault("the tool server has too many requests of its own open");
          const attending = session.router.concerned ?? { peer: silentPeer(signal), over: signal };
          open += 1;
          void this.#serve(exchange, session, message, attending).then(() => (open -= 1));
        }
      }
      return true;
    } finally {
      exchange.abandon();
    }
  }

  /**
   * Whether the server still knows a session: some answer HTTP 400 both for one they have lost and where they offer
   * no stream.
   * @throws SessionLost
   */
  async #knowsSession(session: UpstreamSession, signal: AbortSignal): Promise<boolean> {
    if (session.id === null) return true;
    try {
      await this.request(session, "ping", {}, silentPeer(signal));
      return true;
    } catch (thrown) {
      if (thrown instanceof CmcpError && thrown.detail["status"] === 400) throw new SessionLost();
      if (thrown instanceof UpstreamRefusal) return true;
      throw thrown;
    }
  }

  /** Sends a message that has no result and waits until the server has taken it. */
  async send(session: UpstreamSession, body: string, signal: AbortSignal): Promise<void> {
    const status = await this.#delivered(this.#exchanges.post(sessionHeaders(session), body, { signal }));
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
    const signal = AbortSignal.timeout(COURTESY_MS);
    await this.#sendQuietly(() => this.#exchanges.delete(sessionHeaders(session), { signal }));
  }

  /** Waits for the messages nobody else waits for. */
  async drain(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** Sends what nobody needs an answer to. */
  async #sendQuietly(open: () => HttpExchange): Promise<void> {
    const sent = async (): Promise<number> => this.#delivered(open());
    await sent().then(
      () => undefined,
      () => undefined,
    );
  }

  /**
   * The reply, or `null` when the stream ended before it.
   * @param resumed whether the request itself was taken before, so that no status says that it was not
   */
  async #answer(
    exchange: HttpExchange,
    pending: PendingRequest,
    position: StreamPosition,
    resumed: boolean,
  ): Promise<LegacyAnswer | null> {
    const { status, headers } = await exchange.head();
    if (resumed && status !== 200) throw new NotResumed(status);
    if (status === 404 && pending.session !== null && pending.session.id !== null) throw new SessionLost();
    const { maxResponseBytes } = this.#exchanges.limits;
    if (status !== 200) throw await readRefusal(exchange, { status, headers }, pending.id, maxResponseBytes);
    const sessionId = readSessionId(headers["mcp-session-id"]);
    for await (const message of readAnswer(exchange, headers, maxResponseBytes, {
      position,
      batches: hasBatches(pending.session?.version),
    })) {
      if (message.kind === "notification") {
        if (message.method === CANCELLED) pending.session?.requests.cancel(message.params);
        await exchange.hold(pending.progress.pass(message));
        pending.session?.router.about(message);
        continue;
      }
      if (message.kind === "request") {
        this.#serveWithin(exchange, pending, message);
        continue;
      }
      if (message.id !== pending.id) throw protocolFault("the tool server answered another request's id");
      if (message.kind === "result") return { result: message.result, sessionId };
      throw new UpstreamRefusal(message.error);
    }
    return null;
  }

  /** Answers a request that the server makes within an answer. @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for too many */
  #serveWithin(exchange: HttpExchange, pending: PendingRequest, request: RpcRequest): void {
    const own = (pending.own ??= { count: 0, answering: new Set() });
    own.count += 1;
    if (own.count > MAX_SERVER_REQUESTS) throw protocolFault("the tool server makes too many requests of its own");
    if (pending.session === null) return;
    const answering = this.#serve(exchange, pending.session, request, {
      peer: pending.peer,
      over: pending.over.signal,
    });
    own.answering.add(answering);
    void answering.then(() => own.answering.delete(answering));
  }

  /** Answers a request of the server's own, which is read on meanwhile; its clock stands still. */
  #serve(
    exchange: HttpExchange,
    session: UpstreamSession,
    request: RpcRequest,
    { peer, over }: ActiveCaller,
  ): Promise<void> {
    const answering = session.requests.answer(request, peer, over, (answer) =>
      this.#delivered(this.#exchanges.post(sessionHeaders(session), answer, peer)),
    );
    void exchange.hold(answering);
    this.#background.add(answering);
    void answering.then(() => this.#background.delete(answering));
    return answering;
  }

  /** True when a fault of ours ended the wait, so that the server may still be working. */
  #mayStillRun(fault: CmcpError): boolean {
    return fault.code === "UPSTREAM_TIMEOUT" || fault.code === "RESPONSE_SIZE_EXCEEDED";
  }

  /** MCP "Cancellation". Nobody waits for it, and a server that cannot be told changes nothing here. */
  #sendCancellation(session: UpstreamSession, id: number): void {
    const body = JSON.stringify({ jsonrpc: "2.0", method: CANCELLED, params: { requestId: id } });
    const notification = this.#sendQuietly(() =>
      this.#exchanges.post(sessionHeaders(session), body, { signal: AbortSignal.timeout(COURTESY_MS) }),
    );
    this.#background.add(notification);
    void notification.then(() => this.#background.delete(notification));
  }
}
