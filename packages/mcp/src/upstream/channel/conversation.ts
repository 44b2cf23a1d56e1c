import { CmcpError, asCmcpError, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, errorText, resultText } from "../../jsonrpc/reply.ts";
import type { Peer } from "../../peer.ts";
import { relatedTask } from "../../tasks/related.ts";
import { raced } from "../abort.ts";
import { CLIENT_METHODS } from "../client-methods.ts";
import { upstreamFault, withSent } from "../fault.ts";
import type { Offers } from "../legacy/session.ts";
import type { Notified } from "../listening.ts";
import { Progress } from "../progress.ts";
import { UpstreamRefusal } from "../refusal.ts";
import { ServerLogLevel } from "../server-log-level.ts";
import type { MessageChannel } from "./channel.ts";

/** Requests that may wait for an answer on one connection. */
const MAX_OPEN = 256;

/** A request whose answer is awaited. */
interface Waiting {
  /** The task it is about, if it is. */
  readonly taskId: JsonValue | undefined;
  readonly answer: PromiseWithResolvers<JsonObject>;
  readonly progress: Progress;
  readonly peer: Peer;
}

/** JSON-RPC over one {@link MessageChannel}: requests by their ids, what a server says meanwhile to whom it concerns. */
export class Conversation {
  readonly #waiting = new Map<number, Waiting>();
  #channel: MessageChannel | undefined;
  #nextId = 1;
  #notified: Notified = () => undefined;
  /** What the server offers; known once it has answered `initialize`. */
  offers: Offers = { tasks: false, logging: false };
  readonly logLevel = new ServerLogLevel();

  /** Requests that wait for an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Ties the conversation to its channel, once it is open. */
  attach(channel: MessageChannel): void {
    this.#channel = channel;
    void channel.closed.then((why) => {
      for (const { answer } of this.#waiting.values()) answer.reject(withSent(why, true));
      this.#waiting.clear();
    });
  }

  /** Names who hears of what concerns no request. */
  listen(notified: Notified): void {
    this.#notified = notified;
  }

  /** Sends a request and returns its result. Every error says in `detail.sent` whether it may have left. */
  async request(method: string, params: JsonObject, peer: Peer, ms: number): Promise<JsonObject> {
    if (this.#channel === undefined) throw upstreamFault("UPSTREAM_UNAVAILABLE", "the connection to the tool server is not open", false);
    if (this.#waiting.size >= MAX_OPEN) throw upstreamFault("OVERLOADED", "too many requests to this tool server", false);
    const id = this.#nextId++;
    const answer = Promise.withResolvers<JsonObject>();
    answer.promise.catch(() => undefined);
    const waiting: Waiting = { taskId: params.taskId, answer, progress: new Progress(peer, id), peer };
    this.#waiting.set(id, waiting);
    const timer = setTimeout(() => answer.reject(upstreamFault("UPSTREAM_TIMEOUT", `the tool server took longer than ${ms} ms`, true)), ms);
    let sent = false;
    try {
      const meta = waiting.progress.meta(params);
      await this.#channel.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: Object.keys(meta).length === 0 ? params : { ...params, _meta: meta } }));
      sent = true;
      return await raced(answer.promise, peer.signal);
    } catch (thrown) {
      const fault = asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away");
      if (sent && (peer.signal.aborted || fault.code === "UPSTREAM_TIMEOUT")) await this.notify("notifications/cancelled", { requestId: id });
      throw fault instanceof UpstreamRefusal ? fault : withSent(fault, sent || fault.detail.sent === 1);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Sends a message that has no answer. Never throws. */
  async notify(method: string, params: JsonObject = {}): Promise<void> {
    await this.#send(JSON.stringify({ jsonrpc: "2.0", method, ...(Object.keys(params).length === 0 ? {} : { params }) }));
  }

  /** Takes one message of the server. */
  async received(message: RpcMessage): Promise<void> {
    switch (message.kind) {
      case "result":
        this.#waitingFor(message.id)?.answer.resolve(message.result);
        return;
      case "failure":
        this.#waitingFor(message.id)?.answer.reject(new UpstreamRefusal(message.error));
        return;
      case "notification":
        if (message.method === "notifications/progress" || message.method === "notifications/message") await this.#pass(message);
        else this.#notified(message.method, message.params ?? {});
        return;
      case "request":
        // Nothing else of the server may wait for a person's answer.
        void this.#serve(message);
    }
  }

  #waitingFor(id: unknown): Waiting | undefined {
    return typeof id === "number" ? this.#waiting.get(id) : undefined;
  }

  /** Progress names its request; a log message belongs to none in particular, so the latest one hears it. */
  async #pass(message: Extract<RpcMessage, { kind: "notification" }>): Promise<void> {
    const named = this.#waitingFor(message.params?.progressToken);
    const waiting = named ?? (message.method === "notifications/message" ? [...this.#waiting.values()].at(-1) : undefined);
    try {
      await waiting?.progress.pass(message);
    } catch (thrown) {
      waiting?.answer.reject(asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away"));
    }
  }

  /** A request says which task it belongs to, and of others nothing: they are put to whoever asked last. */
  async #serve(request: RpcRequest): Promise<void> {
    const task = relatedTask(request.params);
    const waiting = [...this.#waiting.values()];
    const about = task === null ? waiting.at(-1) : waiting.find(({ taskId }) => taskId === task);
    await this.#send(request.method === "ping" ? resultText(request.id, {}) : await answerTo(request, about?.peer));
  }

  async #send(text: string): Promise<void> {
    await this.#channel?.send(text).catch(() => undefined);
  }
}

/** Puts a server's request to whoever waits; to the server, nobody to ask is an unknown method. */
async function answerTo(request: RpcRequest, peer: Peer | undefined): Promise<string> {
  const capability = CLIENT_METHODS[request.method];
  if (capability === undefined || peer?.capabilities[capability] === undefined) return errorText(request.id, RPC.methodNotFound, "method not supported", null);
  try {
    return resultText(request.id, await peer.ask(request.method, request.params ?? {}));
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return thrown instanceof UpstreamRefusal ? errorText(request.id, thrown.rpcCode, thrown.rpcMessage, null) : errorText(request.id, RPC.refused, "the request was not answered", null);
  }
}
