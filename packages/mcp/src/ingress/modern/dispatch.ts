import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { RequestId, RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, resultText } from "../../jsonrpc/reply.ts";
import { META } from "../../modern/meta-keys.ts";
import { withoutMirroring } from "../../modern/mirrored-parameters.ts";
import type { Peer } from "../../peer.ts";
import { MODERN_VERSION, SUPPORTED_VERSIONS } from "../../versions.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import { readCursor, readGoverned, readListenFilter, readNoParams, readProgressToken } from "../params.ts";
import type { Caller, GovernedMethod, ListKind, McpPorts } from "../ports.ts";
import { asRefusal, methodNotFound, type Refusal } from "../refusal.ts";
import { refusedReply } from "../refused.ts";
import { ReplyStream, acceptsStream, notificationText } from "../reply-stream.ts";
import { Running } from "./running.ts";

/** One modern message, its envelope and headers checked, with what HTTP says beside it. */
export interface ModernInbound {
  readonly caller: Caller;
  readonly headers: Headers;
  /** Aborts when the agent closes the response stream, which is how this era cancels. */
  readonly gone: AbortSignal;
}

type Read = RpcRequest & { readonly params: JsonObject };

/** A result, and what it is; a server's own word on that is overruled. */
interface Outcome {
  readonly type: "complete" | "input_required";
  readonly result: JsonObject;
}

function complete(result: JsonObject): Outcome {
  return { type: "complete", result };
}

/** The methods that list something, and the member of the result that holds it. */
const LISTS: Readonly<Record<string, { readonly kind: ListKind; readonly member: string }>> = {
  "tools/list": { kind: "tools", member: "tools" },
  "prompts/list": { kind: "prompts", member: "prompts" },
  "resources/list": { kind: "resources", member: "resources" },
  "resources/templates/list": { kind: "templates", member: "resourceTemplates" },
};
const GOVERNED: readonly GovernedMethod[] = ["tools/call", "resources/read", "prompts/get", "completion/complete"];
/** How long a client may keep what `server/discover` said, in milliseconds: it changes with the gateway's version only. */
const DISCOVER_TTL_MS = 300_000;

/**
 * The status of a refusal. 400 and 404 are the protocol's own words for a request that was not understood;
 * any other refusal is an answer, and clients read an answer's code and data only under 200.
 */
function statusOf(refusal: Refusal): number {
  return refusal.rpcCode === RPC.refused || refusal.rpcCode === RPC.internalError ? 200 : refusal.status;
}

/** Handles the messages of the modern era. Each stands alone: nothing here outlives a request but a count. */
export class ModernDispatcher<Session extends object> {
  readonly #ports: McpPorts<Session>;
  readonly #running: Running<Session>;

  constructor(ports: McpPorts<Session>, maxInFlight: number) {
    this.#ports = ports;
    this.#running = new Running(maxInFlight);
  }

  /** Answers a message. Never throws. */
  async answer(message: RpcMessage, inbound: ModernInbound): Promise<Response> {
    // This era has no notification for a server over HTTP; one that comes is taken and changes nothing.
    if (message.kind !== "request") return new Response(null, { status: 202 });
    const left = new AbortController();
    const stream = new ReplyStream(() => left.abort());
    const gone = AbortSignal.any([inbound.gone, left.signal]);
    void this.#handle(message, { ...inbound, gone }, stream).then(
      (outcome) => stream.finish(resultText(message.id, this.#signed(outcome))),
      (thrown: unknown) => {
        const refusal = asRefusal(thrown);
        stream.refuse(refusal, message.id, statusOf(refusal));
      },
    );
    return await stream.response;
  }

  async #handle(message: RpcRequest, inbound: ModernInbound, stream: ReplyStream): Promise<Outcome> {
    const { context, params } = takeCallerContext(inbound.headers, message.params);
    const { method } = message;
    const read: Read = { ...message, params };
    const list = LISTS[method];
    if (list !== undefined) return complete(await this.#list(list, readCursor(params, method), context, inbound));
    const governed = GOVERNED.find((known) => known === method);
    if (governed !== undefined) return await this.#perform(governed, read, context, inbound, stream);
    if (method === "subscriptions/listen") return complete(await this.#listen(read, context, inbound, stream));
    if (method !== "server/discover") throw methodNotFound(method, `is no method of MCP ${MODERN_VERSION}`, 404);
    readNoParams(params, method);
    return complete({ supportedVersions: [...SUPPORTED_VERSIONS], capabilities: this.#ports.capabilities, ttlMs: DISCOVER_TTL_MS, cacheScope: "private" });
  }

  async #list({ kind, member }: { kind: ListKind; member: string }, cursor: string | null, context: CallerContext, { caller }: ModernInbound): Promise<JsonObject> {
    const session = await this.#ports.sessions.default(caller, context.label);
    const { items, nextCursor } = await this.#running.run(session, async () => this.#ports.list(caller, session, kind, cursor));
    const shown = kind === "tools" ? items.map((tool) => ({ ...tool, ...(isJsonObject(tool.inputSchema) ? { inputSchema: withoutMirroring(tool.inputSchema) } : {}) })) : [...items];
    // Policy chose them for this caller, in what its session has seen by now: for no one else, and not for later.
    return { [member]: shown, ...(nextCursor === null ? {} : { nextCursor }), ttlMs: 0, cacheScope: "private" };
  }

  async #perform(method: GovernedMethod, message: Read, context: CallerContext, { caller, headers, gone }: ModernInbound, stream: ReplyStream): Promise<Outcome> {
    const request = { ...readGoverned(method, message.params, true), workflowId: context.workflowId, dataClass: context.dataClass, requestId: message.id };
    const session = await this.#ports.sessions.default(caller, context.label);
    const peer = peerOf(message.params, headers, stream, gone);
    const reply = await this.#running.run(session, () => this.#ports.perform(caller, session, request, peer));
    if (reply.ok === "input") return { type: "input_required", result: { ...(reply.inputRequests === null ? {} : { inputRequests: reply.inputRequests }), requestState: reply.requestState, ...(reply.meta === undefined ? {} : { _meta: reply.meta }) } };
    if (!reply.ok) throw refusedReply(reply, "modern");
    // What a resource says now may not be what it says, or what this caller may read, later.
    return complete(method === "resources/read" ? { ttlMs: 0, ...reply.result, cacheScope: "private" } : reply.result);
  }

  /** MCP 2026-07-28, "Subscriptions": acknowledged first, then what was asked for until the agent closes the stream. */
  async #listen({ id, params }: Read, context: CallerContext, { caller, gone }: ModernInbound, stream: ReplyStream): Promise<JsonObject> {
    const filter = readListenFilter(params);
    const session = await this.#ports.sessions.default(caller, context.label);
    const about = { [META.subscriptionId]: id };
    const ended = Promise.withResolvers<void>();
    const listening = new AbortController();
    const signal = AbortSignal.any([gone, listening.signal]);
    signal.addEventListener("abort", () => ended.resolve(), { once: true });
    let acknowledged = false;
    const held: string[] = [];
    const honoured = await this.#ports.listen(caller, session, filter, (method, said) => {
      const text = notificationText(method, { ...said, _meta: about });
      if (!acknowledged) held.push(text);
      // A listener that does not read is not waited for: it is let go, and may listen again.
      else if (stream.full) listening.abort();
      else void stream.event(text).catch(() => listening.abort());
    }, signal);
    await stream.event(notificationText("notifications/subscriptions/acknowledged", { notifications: listed(honoured), _meta: about }));
    acknowledged = true;
    for (const text of held) await stream.event(text);
    await ended.promise;
    if (gone.aborted) throw new CmcpError("REQUEST_CANCELLED", "the agent listens no more");
    return { _meta: about };
  }

  /** What every result of this era says of itself. A server's own word on either is overruled. */
  #signed({ type, result }: Outcome): JsonObject {
    const meta = isJsonObject(result._meta) ? result._meta : {};
    return { ...result, resultType: type, _meta: { ...meta, [META.serverInfo]: { ...this.#ports.serverInfo } } };
  }
}

/** What of a filter is honoured, without what is not. */
function listed({ resourceSubscriptions, ...flags }: Awaited<ReturnType<McpPorts<object>["listen"]>>): JsonObject {
  const kept = Object.fromEntries(Object.entries(flags).filter(([, wanted]) => wanted));
  return resourceSubscriptions === null || resourceSubscriptions.length === 0 ? kept : { ...kept, resourceSubscriptions: [...resourceSubscriptions] };
}

/** The agent, as servers may reach it while they work on its request. */
function peerOf(params: JsonObject, headers: Headers, stream: ReplyStream, signal: AbortSignal): Peer {
  const meta = isJsonObject(params._meta) ? params._meta : {};
  const token: RequestId | null = readProgressToken(params);
  const streams = acceptsStream(headers);
  const capabilities = meta[META.clientCapabilities];
  const level = meta[META.logLevel];
  return {
    signal,
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    wantsProgress: streams && token !== null,
    wantsLog: streams && typeof level === "string",
    logLevel: typeof level === "string" ? level : null,
    input: "retry",
    notify: async (method, said) => {
      await stream.event(notificationText(method, method === "notifications/progress" && token !== null ? { ...said, progressToken: token } : said));
    },
    ask: async () => {
      throw new CmcpError("NOT_SUPPORTED", `MCP ${MODERN_VERSION} has no requests to clients`);
    },
  };
}
