import { CmcpError, asCmcpError, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RpcNotification, RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { silentPeer, type Peer } from "../../peer.ts";
import { hasBatches } from "../../versions.ts";
import { raceAbort } from "../abort.ts";
import { authenticationOf } from "../cancellation.ts";
import { CLIENT_METHODS } from "../client-methods.ts";
import { ELICITATION_COMPLETE, notifyElicitationComplete } from "../elicitation.ts";
import { upstreamFault, withSent } from "../fault.ts";
import { ServerRequests, type QuestionTarget } from "../legacy/server-requests.ts";
import type { Offers } from "../legacy/session.ts";
import type { NotificationHandler } from "../listening.ts";
import { Progress } from "../progress.ts";
import { UpstreamRefusal } from "../refusal.ts";
import { ServerLogLevel } from "../server-log-level.ts";
import type { MessageChannel, Receiver } from "./channel.ts";
import { InFlight } from "./in-flight.ts";

/** Requests that may wait for an answer on one connection. */
const MAX_OPEN = 256;
/** How long a message may take to leave that nobody waits for, and the answer to a server's request, in milliseconds. */
const COURTESY_MS = 5_000;
const ANSWER_MS = 60_000;

/** MCP "Cancellation": from either side, of its own request. */
const CANCELLED = "notifications/cancelled";

/** Messages of servers that reached nobody, as they could not be attributed to one request. */
export interface UnattributedCount {
  count: number;
}

/** JSON-RPC over one {@link MessageChannel}: requests by their ids, what a server says meanwhile to whom it concerns. */
export class Conversation implements Receiver {
  readonly #inFlight = new InFlight();
  readonly #unattributed: UnattributedCount;
  readonly #serverRequests = new ServerRequests();
  /** Aborts when the connection has ended. */
  readonly #over = new AbortController();
  #channel: MessageChannel | undefined;
  #nextId = 1;
  #notified: NotificationHandler = () => undefined;
  #batches = false;
  /** What the server offers; known once it has answered `initialize`. */
  offers: Offers = { tasks: false, logging: false };
  readonly logLevel = new ServerLogLevel();

  constructor(unattributed: UnattributedCount = { count: 0 }) {
    this.#unattributed = unattributed;
  }

  /** Requests that wait for an answer. */
  get waiting(): number {
    return this.#inFlight.size;
  }

  /** True once the server has answered `initialize` with a version that has batches. */
  get batches(): boolean {
    return this.#batches;
  }

  /** Ties the conversation to its channel, once it is open. */
  attach(channel: MessageChannel): void {
    this.#channel = channel;
    void channel.closed.then((why) => {
      this.#over.abort(why);
      this.#inFlight.end(withSent(why, true));
    });
  }

  /** Names who hears of what concerns no request. */
  listen(notified: NotificationHandler): void {
    this.#notified = notified;
  }

  /** Sends a request and returns its result, within `ms` milliseconds. Every error says in `detail.sent` whether it may have left. */
  async request(method: string, params: JsonObject, peer: Peer, ms: number): Promise<JsonObject> {
    if (this.#channel === undefined)
      throw upstreamFault("UPSTREAM_UNAVAILABLE", "the connection to the tool server is not open", false);
    // It may have ended after it was handed over and before this: nobody would ever answer.
    if (this.#over.signal.aborted)
      throw withSent(
        asCmcpError(this.#over.signal.reason, "UPSTREAM_UNAVAILABLE", "the connection to the tool server has ended"),
        false,
      );
    if (this.#inFlight.size >= MAX_OPEN)
      throw upstreamFault("OVERLOADED", "too many requests to this tool server", false);
    const id = this.#nextId++;
    const answer = Promise.withResolvers<JsonObject>();
    answer.promise.catch(() => undefined);
    const progress = new Progress(peer, id);
    this.#inFlight.add(id, { method, taskId: params.taskId, answer, progress, peer });
    const scope = new AbortScope(peer.signal);
    const timer = setTimeout(
      () => scope.abort(upstreamFault("UPSTREAM_TIMEOUT", `the tool server took longer than ${ms} ms`, true)),
      ms,
    );
    let sent = false;
    try {
      const meta = progress.meta(params);
      await this.#channel.send(
        JSON.stringify({
          jsonrpc: "2.0",
          id,
          method,
          params: Object.keys(meta).length === 0 ? params : { ...params, _meta: meta },
        }),
        { signal: scope.signal, ...authenticationOf(peer) },
      );
      sent = true;
      return await raceAbort(answer.promise, scope.signal);
    } catch (thrown) {
      const { aborted, reason } = scope.signal;
      const fault = asCmcpError(aborted ? reason : thrown, "REQUEST_CANCELLED", "the caller went away");
      sent ||= thrown instanceof CmcpError && thrown.detail.sent === 1;
      if (sent && (aborted || fault.code === "UPSTREAM_TIMEOUT")) void this.notify(CANCELLED, { requestId: id });
      throw fault instanceof UpstreamRefusal ? fault : withSent(fault, sent);
    } finally {
      clearTimeout(timer);
      scope.release();
      this.#inFlight.leave(id, sent ? ms : 0);
    }
  }

  /** Sends a message that has no answer, and waits a few seconds at most until it has left. Never throws. */
  async notify(method: string, params: JsonObject = {}): Promise<void> {
    await this.#send(
      JSON.stringify({ jsonrpc: "2.0", method, ...(Object.keys(params).length === 0 ? {} : { params }) }),
      COURTESY_MS,
    );
  }

  /** Takes one message of the server. */
  async received(message: RpcMessage): Promise<void> {
    switch (message.kind) {
      case "result": {
        const waiting = this.#inFlight.answered(message.id);
        // Here and not where the answer is awaited: the next piece may be read before that goes on.
        if (waiting?.method === "initialize") this.#batches = hasBatches(message.result.protocolVersion);
        waiting?.answer.resolve(message.result);
        return;
      }
      case "failure":
        this.#inFlight.answered(message.id)?.answer.reject(new UpstreamRefusal(message.error));
        return;
      case "notification":
        if (message.method === "notifications/progress" || message.method === "notifications/message")
          await this.#pass(message);
        else if (message.method === ELICITATION_COMPLETE)
          notifyElicitationComplete(this.#inFlight.peers, message.params);
        else if (message.method === CANCELLED) this.#serverRequests.cancel(message.params);
        else this.#notified(message.method, message.params ?? {});
        return;
      case "request":
        void this.#serverRequests.answer(message, this.#concerned(message), this.#over.signal, (answer) =>
          this.#send(answer, ANSWER_MS),
        );
    }
  }

  /** Progress names its request; a log message that could be about several reaches none of them. */
  async #pass(message: RpcNotification): Promise<void> {
    const isLog = message.method === "notifications/message";
    const waiting = isLog
      ? this.#inFlight.concerned(message.params)
      : this.#inFlight.named(message.params?.progressToken);
    if (isLog && waiting === undefined) this.#unattributed.count += 1;
    try {
      await waiting?.progress.pass(message);
    } catch (thrown) {
      waiting?.answer.reject(asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away"));
    }
  }

  /** Whom a request of the server's concerns; nobody where that could be several. */
  #concerned({ method, params }: RpcRequest): QuestionTarget {
    const peer = this.#inFlight.concerned(params)?.peer;
    // A server whose caller has gone is told so: others need the connection it waits on.
    if (peer !== undefined)
      return {
        signal: this.#over.signal,
        capabilities: peer.capabilities,
        ask: (question, params, until) => peer.ask(question, params, until),
      };
    if (Object.hasOwn(CLIENT_METHODS, method)) this.#unattributed.count += 1;
    return silentPeer(this.#over.signal);
  }

  async #send(text: string, ms: number): Promise<void> {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), ms);
    await this.#channel?.send(text, { signal: giveUp.signal }).catch(() => undefined);
    clearTimeout(timer);
  }
}
