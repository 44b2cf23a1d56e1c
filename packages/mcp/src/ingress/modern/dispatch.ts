import { CmcpError, isJsonObject, type BufferShare, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import { META } from "../../modern/meta-keys.ts";
import { withoutMirroring } from "../../modern/mirrored-parameters.ts";
import { declaresTasks, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import { LISTEN_PARAMS, NO_PARAMS, type ListenFilter } from "../../protocol/local-params.ts";
import { isGoverned, methodOf, readRequest, type Governed, type ListMethod } from "../../protocol/methods.ts";
import type { RpcBody } from "../../protocol/outcome.ts";
import { readShape } from "../../protocol/shape.ts";
import { TASKS_EXTENSION } from "../../protocol/tasks-extension.ts";
import { MODERN_VERSION, SUPPORTED_VERSIONS } from "../../versions.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import type { RequestHeaders } from "../http-request.ts";
import type { HttpResponse } from "../http-response.ts";
import type { Caller, McpPorts } from "../ports.ts";
import { modernPresenter, modernResult } from "../present/modern.ts";
import { requestKind } from "../present/request-kind.ts";
import { thrownBody } from "../present/thrown-body.ts";
import { Refusal, methodNotFound } from "../refusal.ts";
import { ReplyStream, notificationText } from "../reply-stream.ts";
import { clientCapabilities, modernPeer, type ModernAgent } from "./peer.ts";

/** One modern message, its envelope and headers checked, with what HTTP says beside it. */
export interface ModernInbound {
  readonly caller: Caller;
  readonly headers: RequestHeaders;
  /** Aborts when the agent closes the response stream, which is how this era cancels. */
  readonly gone: AbortSignal;
  /** Counts what waits for the agent to read it. */
  readonly buffered: BufferShare | undefined;
}

/** A request, who sent it, and what the caller says beside it. */
interface AgentMessage extends RpcRequest {
  readonly params: JsonObject;
  readonly context: CallerContext;
  readonly caller: Caller;
}

/** How long a client may keep what `server/discover` said, in milliseconds: it changes with the gateway's version only. */
const DISCOVER_TTL_MS = 300_000;

/** How many modern requests each session is running. Their ids are not kept: clients that share one may choose the same. */
class RunningRequests<Session extends object> {
  readonly #counts = new WeakMap<Session, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work`; refuses with `OVERLOADED` what is beyond the limit. */
  async run<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const count = this.#counts.get(session) ?? 0;
    if (count >= this.#max)
      throw new Refusal("OVERLOADED", RPC.refused, `more than ${this.#max} requests run in this session`);
    this.#counts.set(session, count + 1);
    try {
      return await work();
    } finally {
      this.#counts.set(session, (this.#counts.get(session) ?? 1) - 1);
    }
  }
}

/** Handles the messages of the modern era. Each stands alone: nothing here outlives a request but a count. */
export class ModernDispatcher<Session extends object> {
  readonly #ports: McpPorts<Session>;
  readonly #running: RunningRequests<Session>;

  constructor(ports: McpPorts<Session>, maxInFlight: number) {
    this.#ports = ports;
    this.#running = new RunningRequests(maxInFlight);
  }

  /** Answers a message. Never throws. */
  async answer(message: RpcMessage, inbound: ModernInbound): Promise<HttpResponse> {
    // This era has no notification for a server over HTTP; one that comes is taken and changes nothing.
    if (message.kind !== "request") return { status: 202, headers: {}, body: null };
    const scope = new AbortScope(inbound.gone);
    const stream = new ReplyStream(() => scope.abort(), inbound.buffered);
    stream.openInTime(inbound.headers);
    const present = modernPresenter(requestKind(message.method, message.params ?? {}), this.#ports.serverInfo);
    const agent = { headers: inbound.headers, stream, gone: scope.signal, present };
    void this.#handle(message, inbound, agent)
      .finally(() => scope.release())
      .then((body) => stream.finish(message.id, body))
      .catch((thrown: unknown) => stream.refuse(message.id, thrownBody(thrown, present)));
    return await stream.response;
  }

  async #handle(message: RpcRequest, { caller, headers }: ModernInbound, agent: ModernAgent): Promise<RpcBody> {
    const { context, params } = takeCallerContext(headers, message.params);
    const { method } = message;
    const agentMessage: AgentMessage = { ...message, params, context, caller };
    const row = methodOf(method);
    if (row === undefined || !row.eras.includes("modern"))
      throw methodNotFound(method, `is no method of MCP ${MODERN_VERSION}`, 404);
    if (row.kind === "list") return this.#complete(await this.#list(row, agentMessage));
    if (isGoverned(row)) return await this.#perform(row, agentMessage, agent);
    if (method === "subscriptions/listen") return this.#complete(await this.#listen(agentMessage, agent));
    readShape(NO_PARAMS, params, method, "modern");
    return this.#complete({
      supportedVersions: [...SUPPORTED_VERSIONS],
      capabilities: { ...this.#ports.capabilities, extensions: { [TASKS_EXTENSION]: {} } },
      ttlMs: DISCOVER_TTL_MS,
      cacheScope: "private",
    });
  }

  #complete(result: JsonObject): RpcBody {
    return modernResult(result, this.#ports.serverInfo);
  }

  async #list(
    { name, params: page, list }: ListMethod,
    { params, context, caller }: AgentMessage,
  ): Promise<JsonObject> {
    const { kind, member } = list;
    const { cursor } = readShape(page, params, name, "modern");
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

  async #perform(row: Governed, { id, params, context, caller }: AgentMessage, agent: ModernAgent): Promise<RpcBody> {
    const capabilities = clientCapabilities(params);
    if (row.target === "task") requireTasks(capabilities);
    const request = {
      ...readRequest(row, params, "modern"),
      workflowId: context.workflowId,
      dataClass: context.dataClass,
      requestId: id,
    };
    const session = await this.#ports.sessions.default(caller, context.label);
    const peer = modernPeer(params, capabilities, agent);
    return await this.#running.run(session, () => this.#ports.perform(caller, session, request, peer));
  }

  /** MCP 2026-07-28, "Subscriptions": acknowledged first, then what was asked for until the agent closes the stream. */
  async #listen(
    { id, params, context, caller, method }: AgentMessage,
    { gone, stream }: ModernAgent,
  ): Promise<JsonObject> {
    const { filter, wantsTasks } = readShape(LISTEN_PARAMS, params, method, "modern");
    if (wantsTasks) requireTasks(clientCapabilities(params));
    const session = await this.#ports.sessions.default(caller, context.label);
    const about = { [META.subscriptionId]: id };
    const ended = Promise.withResolvers<void>();
    const listening = new AbortController();
    const signal = AbortSignal.any([gone, listening.signal, this.#ports.stopping]);
    signal.addEventListener("abort", () => ended.resolve(), { once: true });
    const end = (): void => listening.abort();
    let acknowledged = false;
    const queued: string[] = [];
    const notify = (method: string, said: JsonObject): void => {
      const text = notificationText(method, { ...said, _meta: about });
      if (!acknowledged) queued.push(text);
      // A listener that does not read is not waited for: it is let go, and may listen again.
      else if (stream.full) end();
      else void stream.event(text).catch(end);
    };
    try {
      const honoured = await this.#ports.listen(caller, session, filter, { notify, end }, signal);
      await stream.event(
        notificationText("notifications/subscriptions/acknowledged", {
          notifications: honouredMembers(honoured),
          _meta: about,
        }),
      );
      acknowledged = true;
      for (const text of queued) await stream.event(text);
      await ended.promise;
    } finally {
      // What was refused is listened to no more, either.
      end();
    }
    if (gone.aborted) throw new CmcpError("REQUEST_CANCELLED", "the agent listens no more");
    return { _meta: about };
  }
}

/** What of a filter is honoured, without what is not. */
function honouredMembers({ resourceSubscriptions, ...flags }: ListenFilter): JsonObject {
  const flagsSet = Object.fromEntries(Object.entries(flags).filter(([, wanted]) => wanted));
  return resourceSubscriptions === null || resourceSubscriptions.length === 0
    ? flagsSet
    : { ...flagsSet, resourceSubscriptions: [...resourceSubscriptions] };
}

/** -32021 for a client that does not declare the Tasks extension (Tasks extension, "Protocol Errors"). */
function requireTasks(capabilities: ClientCapabilities): void {
  if (declaresTasks(capabilities)) return;
  const data = { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } };
  throw new Refusal(
    "MCP_INVALID_REQUEST",
    RPC.missingCapability,
    `the request needs the extension ${TASKS_EXTENSION} among the client's capabilities`,
    { data },
  );
}
