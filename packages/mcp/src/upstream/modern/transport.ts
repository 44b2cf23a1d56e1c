import { asCmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { RpcNotification } from "../../jsonrpc/message.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import { encodeHeaderValue } from "../../modern/header-value.ts";
import { META } from "../../modern/meta-keys.ts";
import { NAMED_BY } from "../../protocol/methods.ts";
import { declaresTasks, readClientCapabilities, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import { TASKS_EXTENSION } from "../../protocol/tasks-extension.ts";
import { tasksUnsupported } from "../../tasks/support.ts";
import { MODERN_VERSION } from "../../versions.ts";
import { readAnswer, readRefusal, type StreamPosition } from "../answer.ts";
import { isCancellation } from "../cancellation.ts";
import { askableParams } from "../client-methods.ts";
import type { ExchangeCaller, HttpExchange } from "../exchange.ts";
import { DRAIN_MS, type Exchanges } from "../exchanges.ts";
import { protocolFault, upstreamFault, withSent } from "../fault.ts";
import { SUBSCRIPTION_ACKNOWLEDGED, listeningLimits, type NotificationHandler } from "../listening.ts";
import type { UpstreamLimits } from "../options.ts";
import type { Peer, UpstreamAnswer } from "../../peer.ts";
import { Progress } from "../progress.ts";
import { UpstreamRefusal } from "../refusal.ts";

/** What a server hears with a cancellation: what the Tasks extension demands, whoever the caller is. */
const CANCELLING: ClientCapabilities = { extensions: { [TASKS_EXTENSION]: {} } };

/** HTTP statuses of a server that has no subscriptions. */
const NOT_OFFERED: readonly number[] = [404, 405, 501];

/** One request of the modern era, without what every one of them carries. */
export interface ModernRequest {
  readonly method: string;
  readonly params: JsonObject;
  /** `Mcp-Param-*`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** JSON-RPC over streamable HTTP as MCP 2026-07-28 has it: every request stands alone. */
export class ModernTransport {
  readonly #exchanges: Exchanges;
  readonly #streams: Exchanges;
  readonly #clientInfo: { readonly name: string; readonly version: string };
  #nextId = 1;

  /** @param streams exchanges of their own for what stays open, so that calls never wait for it */
  constructor(
    exchanges: Exchanges,
    streams: Exchanges,
    clientInfo: { readonly name: string; readonly version: string },
  ) {
    this.#exchanges = exchanges;
    this.#streams = streams;
    this.#clientInfo = clientInfo;
  }

  /**
   * Sends a request and returns what the server answers, without `resultType`. Closing the stream is what cancels
   * it at the server. Every error says in `detail.sent` whether the request may have left.
   */
  async request(
    { method, params, headers = {} }: ModernRequest,
    peer: Peer,
    limits?: UpstreamLimits,
  ): Promise<UpstreamAnswer> {
    if (params.task !== undefined) throw tasksUnsupported("modern");
    const id = this.#nextId++;
    const progress = new Progress(peer, id);
    const envelope = {
      ...progress.meta(params),
      [META.protocolVersion]: MODERN_VERSION,
      [META.clientInfo]: { ...this.#clientInfo },
      [META.clientCapabilities]: isCancellation(method) ? CANCELLING : readClientCapabilities(peer.capabilities),
      ...(peer.logLevel === null ? {} : { [META.logLevel]: peer.logLevel }),
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: envelope } });
    const name = params[NAMED_BY.get(method) ?? ""];
    const named = typeof name === "string" ? { "mcp-name": encodeHeaderValue(name) } : {};
    const standard = { "mcp-protocol-version": MODERN_VERSION, "mcp-method": method, ...named };
    const exchange = this.#exchanges.post({ ...headers, ...standard }, body, peer, limits);
    try {
      const result = await this.#result(
        exchange,
        id,
        progress,
        method === "tools/call" && declaresTasks(peer.capabilities),
      );
      exchange.release(DRAIN_MS);
      return result.kind === "input_required" && peer.input !== "none"
        ? { ...result, inputRequests: askableRequests(result.inputRequests, peer.capabilities) }
        : result;
    } catch (thrown) {
      exchange.abandon();
      throw withSent(asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read"), exchange.sent);
    }
  }

  /**
   * Reads a subscription's stream until it ends (MCP 2026-07-28, "Subscriptions").
   * @param position kept up to date with how long the server wants its client to wait
   * @returns false when the server offers none
   * @throws CmcpError what else it refuses the subscription with
   */
  async listen(
    filter: JsonObject,
    notified: NotificationHandler,
    signal: AbortSignal,
    position: StreamPosition,
  ): Promise<boolean> {
    const limits = listeningLimits(this.#streams.limits);
    const { id, exchange } = this.#subscribe(this.#streams, filter, { signal }, limits);
    try {
      const { status, headers } = await exchange.head();
      if (NOT_OFFERED.includes(status)) return false;
      if (status !== 200) throw await readRefusal(exchange, { status, headers }, id, limits.maxResponseBytes);
      for await (const message of readAnswer(exchange, headers, limits.maxResponseBytes, { position })) {
        if (message.kind === "failure") throw new UpstreamRefusal(message.error);
        if (message.kind === "result") return true;
        if (message.kind === "notification" && isAbout(message, id)) notified(message.method, message.params ?? {});
      }
      return true;
    } catch (thrown) {
      if (thrown instanceof UpstreamRefusal && thrown.rpcCode === RPC.methodNotFound) return false;
      throw thrown;
    } finally {
      exchange.abandon();
    }
  }

  /**
   * Asks what of a filter the server would honour: by a subscription that ends once the server has acknowledged it.
   * @throws CmcpError `UPSTREAM_CALL_REFUSED` as {@link UpstreamRefusal} for a server that refuses it; as {@link request}
   */
  async honoured(filter: JsonObject, caller: ExchangeCaller): Promise<JsonObject> {
    const { id, exchange } = this.#subscribe(this.#exchanges, filter, caller, this.#exchanges.limits);
    try {
      const { status, headers } = await exchange.head();
      const { maxResponseBytes } = this.#exchanges.limits;
      if (status !== 200) throw await readRefusal(exchange, { status, headers }, id, maxResponseBytes);
      for await (const message of readAnswer(exchange, headers, maxResponseBytes)) {
        if (message.kind === "failure") throw new UpstreamRefusal(message.error);
        if (message.kind !== "notification" || message.method !== SUBSCRIPTION_ACKNOWLEDGED || !isAbout(message, id))
          throw protocolFault("the tool server did not acknowledge the subscription first");
        const honoured = message.params?.notifications;
        return isJsonObject(honoured) ? honoured : {};
      }
      throw protocolFault("the tool server did not acknowledge the subscription");
    } catch (thrown) {
      throw withSent(asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read"), exchange.sent);
    } finally {
      exchange.abandon();
    }
  }

  #subscribe(
    exchanges: Exchanges,
    filter: JsonObject,
    caller: ExchangeCaller,
    limits: UpstreamLimits,
  ): { readonly id: number; readonly exchange: HttpExchange } {
    const id = this.#nextId++;
    const envelope = {
      [META.protocolVersion]: MODERN_VERSION,
      [META.clientInfo]: { ...this.#clientInfo },
      [META.clientCapabilities]: {},
    };
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "subscriptions/listen",
      params: { notifications: filter, _meta: envelope },
    });
    return {
      id,
      exchange: exchanges.post(
        { "mcp-protocol-version": MODERN_VERSION, "mcp-method": "subscriptions/listen" },
        body,
        caller,
        limits,
      ),
    };
  }

  async #result(exchange: HttpExchange, id: number, progress: Progress, mayBeTask: boolean): Promise<UpstreamAnswer> {
    const { status, headers } = await exchange.head();
    const { maxResponseBytes } = this.#exchanges.limits;
    if (status !== 200) throw await readRefusal(exchange, { status, headers }, id, maxResponseBytes);
    for await (const message of readAnswer(exchange, headers, maxResponseBytes)) {
      if (message.kind === "notification") {
        await exchange.hold(progress.pass(message));
        continue;
      }
      // Streamable HTTP, "Receiving Messages": servers make no requests of their own in this era.
      if (message.kind === "request")
        throw protocolFault("the tool server makes a request of its own, which MCP 2026-07-28 does not have");
      if (message.id !== id) throw protocolFault("the tool server answered another request's id");
      if (message.kind === "failure") throw new UpstreamRefusal(message.error);
      return answerOf(message.result, mayBeTask);
    }
    throw protocolFault("the tool server's answer ended without a reply");
  }
}

/**
 * What input a server requires, as the caller can be asked for it.
 * @throws CmcpError `UPSTREAM_INPUT_REQUIRED` for what it did not declare
 */
function askableRequests(inputRequests: JsonObject | null, capabilities: ClientCapabilities): JsonObject | null {
  if (inputRequests === null) return null;
  const asked = Object.entries(inputRequests).map(([key, request]) => {
    const { method, params = {} } = isJsonObject(request) ? request : {};
    try {
      if (!isJsonObject(request) || typeof method !== "string" || !isJsonObject(params))
        throw protocolFault("the tool server requires input and does not say which");
      const put = askableParams(capabilities, method, params);
      return [key, put === params ? request : { ...request, params: put }] as const;
    } catch (thrown) {
      throw thrown instanceof UpstreamRefusal
        ? upstreamFault(
            "UPSTREAM_INPUT_REQUIRED",
            "the server asks for input of a kind this agent does not offer",
            true,
          )
        : thrown;
    }
  });
  return Object.fromEntries(asked);
}

/** Whether a notification is one of that subscription. */
function isAbout({ params }: RpcNotification, id: number): boolean {
  return isJsonObject(params?._meta) && params._meta[META.subscriptionId] === id;
}

/** MCP 2026-07-28, Base Protocol, "ResultType": absent is complete, unknown is invalid. */
function answerOf(answered: JsonObject, mayBeTask: boolean): UpstreamAnswer {
  const { resultType = "complete", ...result } = answered;
  if (resultType === "complete") return { kind: "complete", result };
  // Tasks extension, "Capability Negotiation": only where the client declared it, and of a tool call.
  if (resultType === "task" && mayBeTask) return { kind: "task", task: result };
  if (resultType !== "input_required")
    throw protocolFault("the tool server's result is of a type this gateway does not know");
  const { inputRequests = null, requestState = null } = result;
  if (inputRequests !== null && !isJsonObject(inputRequests))
    throw protocolFault("the tool server's input requests are not an object");
  if (requestState !== null && typeof requestState !== "string")
    throw protocolFault("the tool server's request state is not a string");
  if (inputRequests === null && requestState === null)
    throw protocolFault("the tool server requires input and does not say which");
  return { kind: "input_required", inputRequests, requestState };
}
