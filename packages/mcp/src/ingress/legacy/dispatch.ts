import { CmcpError, type BufferShare, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RpcFailure, RpcNotification, RpcRequest, RpcResult } from "../../jsonrpc/message.ts";
import { RPC, resultText } from "../../jsonrpc/reply.ts";
import { INITIALIZE_PARAMS, LEVEL_PARAMS, NO_PARAMS, PAGE_PARAMS } from "../../protocol/local-params.ts";
import { isTaskMethod, methodOf, readRequest } from "../../protocol/methods.ts";
import type { RpcBody } from "../../protocol/outcome.ts";
import { readShape } from "../../protocol/shape.ts";
import { legacyTask } from "../../tasks/state.ts";
import { LEGACY_TASKS, LEGACY_TASKS_VERSION } from "../../tasks/support.ts";
import { NEWEST_LEGACY_VERSION, isLegacyVersion } from "../../versions.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import type { RequestHeaders } from "../http-request.ts";
import type { HttpResponse } from "../http-response.ts";
import type { Caller, McpPorts } from "../ports.ts";
import { legacyPresenter } from "../present/legacy.ts";
import { requestKind } from "../present/request-kind.ts";
import { thrownBody } from "../present/thrown-body.ts";
import { Refusal, invalidParams, invalidRequest, jsonResponse, methodNotFound } from "../refusal.ts";
import { ReplyStream, notificationText } from "../reply-stream.ts";
import { capabilitiesAt } from "../../protocol/client-capabilities.ts";
import type { OpenedSession, OpenedSessions } from "./opened-sessions.ts";
import { agentPeer, type Agent } from "./peer.ts";
import { legacyTool } from "./tool-shape.ts";

/** One legacy-era request with everything its HTTP envelope says about it. */
export interface Inbound<Session> {
  readonly caller: Caller;
  readonly headers: RequestHeaders;
  readonly opened: OpenedSession<Session> | undefined;
  /** Aborts when the agent goes away. */
  readonly gone: AbortSignal;
  /** Counts what waits for the agent to read it. */
  readonly buffered: BufferShare | undefined;
}

/** The methods of tasks, which one version has. */
function isOfTasks(method: string): boolean {
  return isTaskMethod(method) || method === "tasks/list";
}

/** Handles the requests and notifications of protocol versions with `initialize`. */
export class LegacyDispatcher<Session extends object> {
  readonly #ports: McpPorts<Session>;
  readonly #sessions: OpenedSessions<Session>;

  constructor(ports: McpPorts<Session>, sessions: OpenedSessions<Session>) {
    this.#ports = ports;
    this.#sessions = sessions;
  }

  /** Answers a request; throws a refusal that the endpoint turns into a JSON-RPC error. */
  async request(message: RpcRequest, inbound: Inbound<Session>): Promise<HttpResponse> {
    if (message.method === "initialize") return this.#initialize(message, inbound);
    const { context, params } = takeCallerContext(inbound.headers, message.params);
    if (inbound.opened !== undefined && context.label !== null) {
      throw invalidParams("_cmcp.session_id and Mcp-Session-Id both name a session; send one");
    }
    const scope = new AbortScope(inbound.gone);
    const stream = new ReplyStream(() => scope.abort(), inbound.buffered);
    stream.openInTime(inbound.headers);
    const present = legacyPresenter(requestKind(message.method, params), inbound.opened !== undefined);
    const agent = { stream, gone: scope.signal, present };
    const handle = (): Promise<RpcBody> => this.#handle({ ...message, params }, context, inbound, agent);
    // Without a session, clients that know nothing of each other share a principal, and their ids may meet.
    const work = inbound.opened === undefined ? handle() : inbound.opened.inFlight.run(message.id, scope, handle);
    void work
      .finally(() => {
        scope.release();
        inbound.opened?.questions.end(stream);
      })
      .then((body) => stream.finish(message.id, body))
      .catch((thrown: unknown) =>
        stream.refuse(message.id, thrownBody(thrown, present, inbound.opened === undefined ? undefined : 200)),
      );
    return await stream.response;
  }

  /** Takes a notification; those this gateway has no use for change nothing. */
  notification(message: RpcNotification, inbound: Inbound<Session>): void {
    if (message.method === "notifications/cancelled") inbound.opened?.inFlight.cancel(message.params?.requestId);
  }

  /** Takes an agent's answer to a question that was put to it in its session. */
  answer(message: RpcResult | RpcFailure, inbound: Inbound<Session>): void {
    inbound.opened?.questions.takeAnswer(message);
  }

  /** The stream of what concerns no request of the agent's: one for each session. */
  async listen(
    caller: Caller,
    opened: OpenedSession<Session>,
    gone: AbortSignal,
    buffered?: BufferShare,
  ): Promise<HttpResponse> {
    if (opened.listening)
      throw new Refusal("OVERLOADED", RPC.refused, "this session has its stream already", { status: 409 });
    opened.listening = true;
    const left = new AbortController();
    const stream = new ReplyStream(() => left.abort(), buffered);
    const signal = AbortSignal.any([gone, left.signal, this.#ports.stopping]);
    signal.addEventListener("abort", () => (opened.listening = false), { once: true });
    const everything = {
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: null,
    };
    const end = (): void => left.abort();
    const notify = (method: string, params: JsonObject): void => {
      // A listener that does not read is not waited for: it is let go, and may listen again.
      if (stream.full) end();
      else void stream.event(notificationText(method, params)).catch(end);
    };
    try {
      await this.#ports.listen(caller, opened.session, everything, { notify, end }, signal);
    } catch (thrown) {
      left.abort();
      throw thrown;
    }
    stream.open();
    signal.addEventListener("abort", () => stream.close(), { once: true });
    if (signal.aborted) stream.close();
    return await stream.response;
  }

  async #initialize(message: RpcRequest, inbound: Inbound<Session>): Promise<HttpResponse> {
    if (inbound.opened !== undefined) throw invalidRequest("this session is already initialized");
    const params = message.params ?? {};
    if ("_cmcp" in params) throw invalidParams("initialize takes no _cmcp; send it with tools/call");
    const wanted = readShape(INITIALIZE_PARAMS, params, message.method, "legacy");
    // MCP "Initialization": the requested version when it is spoken here, else the newest.
    const protocolVersion = isLegacyVersion(wanted.protocolVersion) ? wanted.protocolVersion : NEWEST_LEGACY_VERSION;
    const capabilities = capabilitiesAt(wanted.capabilities, protocolVersion);
    const handle = await this.#sessions.open(inbound.caller, protocolVersion, capabilities);
    const tasks = protocolVersion === LEGACY_TASKS_VERSION ? { tasks: LEGACY_TASKS } : {};
    const result = {
      protocolVersion,
      capabilities: { ...this.#ports.capabilities, ...tasks },
      serverInfo: { ...this.#ports.serverInfo },
    };
    return jsonResponse(resultText(message.id, result), 200, { "mcp-session-id": handle });
  }

  async #handle(
    message: RpcRequest & { params: JsonObject },
    context: CallerContext,
    inbound: Inbound<Session>,
    agent: Agent,
  ): Promise<RpcBody> {
    const { caller, opened } = inbound;
    const { method, params } = message;
    const session = async (): Promise<Session> =>
      opened?.session ?? (await this.#ports.sessions.default(caller, context.label));
    const row = methodOf(method);
    if (isOfTasks(method) && !hasTasks(opened))
      throw methodNotFound(method, `is for sessions of MCP ${LEGACY_TASKS_VERSION}`);
    if (row === undefined || !row.eras.includes("legacy"))
      throw methodNotFound(method, "is not supported by this gateway");
    if (row.kind === "list") {
      const { cursor } = readShape(row.params, params, method, "legacy");
      const { items, nextCursor } = await this.#ports.list(caller, await session(), row.list.kind, cursor);
      const shown = row.list.kind === "tools" ? await this.#tools(items, opened) : items;
      return { result: { [row.list.member]: [...shown], ...(nextCursor === null ? {} : { nextCursor }) } };
    }
    if (row.kind === "local") return { result: await this.#local(method, params, session, opened) };
    if (method === "resources/subscribe" && opened === undefined)
      throw methodNotFound(method, "needs a session, whose stream tells of changes: initialize one");
    const request = {
      ...readRequest(row, params, hasTasks(opened) ? "legacy-tasks" : "legacy"),
      workflowId: context.workflowId,
      dataClass: context.dataClass,
      requestId: message.id,
    };
    return await this.#ports.perform(caller, await session(), request, agentPeer(params, inbound, agent));
  }

  /** Answers a method that needs no server. */
  async #local(
    method: string,
    params: JsonObject,
    session: () => Promise<Session>,
    opened: OpenedSession<Session> | undefined,
  ): Promise<JsonObject> {
    if (method === "tasks/list") {
      // All of a session's tasks fit on one page, so that no cursor was ever given.
      if (readShape(PAGE_PARAMS, params, method, "legacy").cursor !== null)
        throw new CmcpError("CURSOR_INVALID", "the cursor is not of this list");
      return { tasks: this.#ports.tasks(await session()).map((task) => legacyTask(task)) };
    }
    if (method === "logging/setLevel" && opened !== undefined) {
      opened.logLevel = readShape(LEVEL_PARAMS, params, method, "legacy").level;
      return {};
    }
    if (method !== "ping") throw methodNotFound(method, "is not supported by this gateway");
    readShape(NO_PARAMS, params, method, "legacy");
    return {};
  }

  async #tools(tools: readonly JsonObject[], opened: OpenedSession<Session> | undefined): Promise<JsonObject[]> {
    const support = hasTasks(opened) ? await this.#ports.taskSupport(tools) : new Map<string, string>();
    return tools.map((tool) =>
      legacyTool(tool, (typeof tool.name === "string" ? support.get(tool.name) : null) ?? null),
    );
  }
}

/** Tasks belong to a session of the version that has them. */
function hasTasks(opened: { readonly version: string } | undefined): boolean {
  return opened?.version === LEGACY_TASKS_VERSION;
}
