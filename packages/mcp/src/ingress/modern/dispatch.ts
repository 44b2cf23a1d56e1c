import { CmcpError, isJsonObject, type BufferShare, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RequestId, RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, resultText } from "../../jsonrpc/reply.ts";
import { logLevel } from "../../log-level.ts";
import { META } from "../../modern/meta-keys.ts";
import { withoutMirroring } from "../../modern/mirrored-parameters.ts";
import type { Peer } from "../../peer.ts";
import { modernTask } from "../../tasks/state.ts";
import { TASKS_EXTENSION, declaresTasks } from "../../tasks/support.ts";
import { MODERN_VERSION, SUPPORTED_VERSIONS } from "../../versions.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import { toldToServers } from "../client-capabilities.ts";
import { readCursor, readGoverned, readListenFilter, readNoParams, readProgressToken, wantsTasks } from "../params.ts";
import { isTaskMethod, type Caller, type GovernedMethod, type ListKind, type McpPorts, type Reply } from "../ports.ts";
import { Refusal, asRefusal, methodNotFound } from "../refusal.ts";
import { refusedReply } from "../refused.ts";
import { ReplyStream, acceptsStream, notificationText } from "../reply-stream.ts";
import { Running } from "./running.ts";
import type { RequestHeaders } from "../http-request.ts";
import type { HttpResponse } from "../http-response.ts";

/** One modern message, its envelope and headers checked, with what HTTP says beside it. */
export interface ModernInbound {
  readonly caller: Caller;
  readonly headers: RequestHeaders;
  /** Aborts when the agent closes the response stream, which is how this era cancels. */
  readonly gone: AbortSignal;
  /** Counts what waits for the agent to read it. */
  readonly buffered: BufferShare | undefined;
}

type Read = RpcRequest & { readonly params: JsonObject };

/** A result, and what it is; a server's own word on that is overruled. */
interface Outcome {
  readonly type: "complete" | "input_required" | "task";
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
const GOVERNED: readonly GovernedMethod[] = [
  "tools/call",
  "resources/read",
  "prompts/get",
  "completion/complete",
  "tasks/get",
  "tasks/update",
  "tasks/cancel",
];
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
  async answer(message: RpcMessage, inbound: ModernInbound): Promise<HttpResponse> {
    // This era has no notification for a server over HTTP; one that comes is taken and changes nothing.
    if (message.kind !== "request") return { status: 202, headers: {}, body: null };
    const scope = new AbortScope(inbound.gone);
    const stream = new ReplyStream(() => scope.abort(), inbound.buffered);
    void this.#handle(message, { ...inbound, gone: scope.signal }, stream)
      .finally(() => scope.release())
      .then((outcome) => stream.finish(resultText(message.id, this.#signed(outcome))))
      .catch((thrown: unknown) => {
        const refusal = asRefusal(thrown);
        stream.refuse(refusal, message.id, statusOf(refusal));
      });
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
    const capabilities = { ...this.#ports.capabilities, extensions: { [TASKS_EXTENSION]: {} } };
    return complete({
      supportedVersions: [...SUPPORTED_VERSIONS],
      capabilities,
      ttlMs: DISCOVER_TTL_MS,
      cacheScope: "private",
    });
  }

  async #list(
    { kind, member }: { kind: ListKind; member: string },
    cursor: string | null,
    context: CallerContext,
    { caller }: ModernInbound,
  ): Promise<JsonObject> {
    const session = await this.#ports.sessions.default(caller, context.label);
    const { items, nextCursor } = await this.#running.run(session, async () =>
      this.#ports.list(caller, session, kind, cursor),
    );
    const shown =
      kind === "tools"
        ? items.map((tool) => ({
            ...tool,
            ...(isJsonObject(tool.inputSchema) ? { inputSchema: withoutMirroring(tool.inputSchema) } : {}),
          }))
        : [...items];
    // Policy chose them for this caller, in what its session has seen by now: for no one else, and not for later.
    return { [member]: shown, ...(nextCursor === null ? {} : { nextCursor }), ttlMs: 0, cacheScope: "private" };
  }

  async #perform(
    method: GovernedMethod,
    message: Read,
    context: CallerContext,
    { caller, headers, gone }: ModernInbound,
    stream: ReplyStream,
  ): Promise<Outcome> {
    if (isTaskMethod(method)) requireTasks(message.params);
    const request = {
      ...readGoverned(method, message.params, { input: true, task: false }),
      workflowId: context.workflowId,
      dataClass: context.dataClass,
      requestId: message.id,
    };
    const session = await this.#ports.sessions.default(caller, context.label);
    const peer = peerOf(message.params, headers, stream, gone);
    const reply = await this.#running.run(session, () => this.#ports.perform(caller, session, request, peer));
    if (reply.ok === "input")
      return {
        type: "input_required",
        result: {
          ...(reply.inputRequests === null ? {} : { inputRequests: reply.inputRequests }),
          requestState: reply.requestState,
          ...(reply.meta === undefined ? {} : { _meta: reply.meta }),
        },
      };
    if (!reply.ok) throw refusedReply(reply, "modern");
    if (reply.ok === "task") return taskOutcome(method, reply);
    // What a resource says now may not be what it says, or what this caller may read, later.
    return complete(method === "resources/read" ? { ttlMs: 0, ...reply.result, cacheScope: "private" } : reply.result);
  }

  /** MCP 2026-07-28, "Subscriptions": acknowledged first, then what was asked for until the agent closes the stream. */
  async #listen(
    { id, params }: Read,
    context: CallerContext,
    { caller, gone }: ModernInbound,
    stream: ReplyStream,
  ): Promise<JsonObject> {
    const filter = readListenFilter(params);
    if (wantsTasks(params)) requireTasks(params);
    const session = await this.#ports.sessions.default(caller, context.label);
    const about = { [META.subscriptionId]: id };
    const ended = Promise.withResolvers<void>();
    const listening = new AbortController();
    const signal = AbortSignal.any([gone, listening.signal, this.#ports.stopping]);
    signal.addEventListener("abort", () => ended.resolve(), { once: true });
    const end = (): void => listening.abort();
    let acknowledged = false;
    const held: string[] = [];
    const notify = (method: string, said: JsonObject): void => {
      const text = notificationText(method, { ...said, _meta: about });
      if (!acknowledged) held.push(text);
      // A listener that does not read is not waited for: it is let go, and may listen again.
      else if (stream.full) end();
      else void stream.event(text).catch(end);
    };
    try {
      const honoured = await this.#ports.listen(caller, session, filter, { notify, end }, signal);
      await stream.event(
        notificationText("notifications/subscriptions/acknowledged", { notifications: listed(honoured), _meta: about }),
      );
      acknowledged = true;
      for (const text of held) await stream.event(text);
      await ended.promise;
    } finally {
      // What was refused is listened to no more, either.
      end();
    }
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
  return resourceSubscriptions === null || resourceSubscriptions.length === 0
    ? kept
    : { ...kept, resourceSubscriptions: [...resourceSubscriptions] };
}

function clientCapabilities(params: JsonObject): JsonObject {
  const capabilities = isJsonObject(params._meta) ? params._meta[META.clientCapabilities] : undefined;
  return isJsonObject(capabilities) ? toldToServers(capabilities) : {};
}

/** -32021 for a client that does not declare the Tasks extension (Tasks extension, "Protocol Errors"). */
function requireTasks(params: JsonObject): void {
  if (declaresTasks(clientCapabilities(params))) return;
  const data = { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } };
  throw new Refusal(
    "MCP_INVALID_REQUEST",
    RPC.missingCapability,
    `the request needs the extension ${TASKS_EXTENSION} among the client's capabilities`,
    { data },
  );
}

/** A task as the answer to the call that became it, or its state with how it ended; who cancelled it is told no more than that. */
function taskOutcome(method: GovernedMethod, { task, outcome, meta = {} }: Extract<Reply, { ok: "task" }>): Outcome {
  if (method === "tools/call") return { type: "task", result: { ...modernTask(task), _meta: meta } };
  if (method === "tasks/cancel") return complete({ _meta: meta });
  return complete({ ...modernTask(task), ...outcome, _meta: meta });
}

/** The agent, as servers may reach it while they work on its request. */
function peerOf(params: JsonObject, headers: RequestHeaders, stream: ReplyStream, signal: AbortSignal): Peer {
  const meta = isJsonObject(params._meta) ? params._meta : {};
  const token: RequestId | null = readProgressToken(params);
  const streams = acceptsStream(headers);
  const level = logLevel(meta[META.logLevel]) ?? null;
  return {
    signal,
    capabilities: clientCapabilities(params),
    wantsProgress: streams && token !== null,
    wantsLog: streams && level !== null,
    logLevel: level,
    input: "retry",
    notify: async (method, said) => {
      await stream.event(
        notificationText(
          method,
          method === "notifications/progress" && token !== null ? { ...said, progressToken: token } : said,
        ),
      );
    },
    ask: async () => {
      throw new CmcpError("NOT_SUPPORTED", `MCP ${MODERN_VERSION} has no requests to clients`);
    },
  };
}
