import { CmcpError, isJsonObject, type BufferShare, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RpcFailure, RpcNotification, RpcRequest, RpcResult } from "../../jsonrpc/message.ts";
import { resultText } from "../../jsonrpc/reply.ts";
import type { Peer } from "../../peer.ts";
import { legacyTask } from "../../tasks/state.ts";
import { LEGACY_TASKS, LEGACY_TASKS_VERSION, withoutTasks } from "../../tasks/support.ts";
import { askable } from "../../upstream/client-methods.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import { declaredAt } from "../client-capabilities.ts";
import { readCursor, readGoverned, readLogLevel, readNoParams, readProgressToken } from "../params.ts";
import {
  GOVERNED_METHODS,
  isTaskMethod,
  type Caller,
  type GovernedMethod,
  type ListKind,
  type McpPorts,
  type Reply,
} from "../ports.ts";
import { Refusal, asRefusal, invalidParams, invalidRequest, jsonResponse, methodNotFound } from "../refusal.ts";
import { refusedReply } from "../refused.ts";
import { ReplyStream, acceptsStream, notificationText } from "../reply-stream.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import { readInitialize } from "./initialize.ts";
import type { OpenedSession, OpenedSessions } from "./opened.ts";
import { legacyContents, legacyResult, legacyTool } from "./tool-shape.ts";
import type { RequestHeaders } from "../http-request.ts";
import type { HttpResponse } from "../http-response.ts";

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

/** The methods that list something, and the member of the result that holds it. */
const LISTS: Readonly<Record<string, { readonly kind: ListKind; readonly member: string }>> = {
  "tools/list": { kind: "tools", member: "tools" },
  "prompts/list": { kind: "prompts", member: "prompts" },
  "resources/list": { kind: "resources", member: "resources" },
  "resources/templates/list": { kind: "templates", member: "resourceTemplates" },
};

/** `tasks/update` is the modern era's. */
function isGoverned(method: string): method is GovernedMethod {
  return method !== "tasks/update" && GOVERNED_METHODS.some((known) => known === method);
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
    const handle = (): Promise<JsonObject> =>
      this.#handle({ ...message, params }, context, inbound, stream, scope.signal);
    // Without a session, clients that know nothing of each other share a principal, and their ids may meet.
    const work = inbound.opened === undefined ? handle() : inbound.opened.inFlight.run(message.id, scope, handle);
    void work
      .finally(() => {
        scope.release();
        inbound.opened?.asked.end(stream);
      })
      .then((result) => stream.finish(resultText(message.id, result)))
      .catch((thrown: unknown) => {
        const refusal = asRefusal(thrown);
        stream.refuse(refusal, message.id, inbound.opened === undefined ? refusal.status : 200);
      });
    return await stream.response;
  }

  /** Takes a notification; those this gateway has no use for change nothing. */
  notification(message: RpcNotification, inbound: Inbound<Session>): void {
    if (message.method === "notifications/cancelled") inbound.opened?.inFlight.cancel(message.params?.requestId);
  }

  /** Takes an agent's answer to a question that was put to it in its session. */
  answer(message: RpcResult | RpcFailure, inbound: Inbound<Session>): void {
    inbound.opened?.asked.settle(message);
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
    const protocolVersion = readInitialize(params);
    const capabilities = isJsonObject(params.capabilities) ? declaredAt(params.capabilities, protocolVersion) : {};
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
    stream: ReplyStream,
    gone: AbortSignal,
  ): Promise<JsonObject> {
    const { caller, opened } = inbound;
    const { method, params } = message;
    const session = async (): Promise<Session> =>
      opened?.session ?? (await this.#ports.sessions.default(caller, context.label));
    const list = LISTS[method];
    if (list !== undefined) {
      const { items, nextCursor } = await this.#ports.list(
        caller,
        await session(),
        list.kind,
        readCursor(params, method),
      );
      const shown = list.kind === "tools" ? await this.#tools(items, opened) : items;
      return { [list.member]: [...shown], ...(nextCursor === null ? {} : { nextCursor }) };
    }
    if (method === "resources/subscribe" && opened === undefined)
      throw methodNotFound(method, "needs a session, whose stream tells of changes: initialize one");
    const tasks = hasTasks(opened);
    if (isOfTasks(method) && !tasks) throw methodNotFound(method, `is for sessions of MCP ${LEGACY_TASKS_VERSION}`);
    if (isGoverned(method)) {
      const request = {
        ...readGoverned(method, params, { input: false, task: tasks }),
        workflowId: context.workflowId,
        dataClass: context.dataClass,
        requestId: message.id,
      };
      const reply = await this.#ports.perform(
        caller,
        await session(),
        request,
        this.#peer(params, inbound, stream, gone),
      );
      if (reply.ok === "input")
        throw new Refusal(
          "UPSTREAM_INPUT_REQUIRED",
          RPC.refused,
          "the server asks for input that this agent cannot be asked for",
        );
      if (!reply.ok) throw refusedReply(reply, "legacy");
      if (reply.ok === "task") return taskResult(method, reply);
      if (method === "resources/read") return legacyContents(reply.result);
      return method === "tools/call" || method === "tasks/result" ? legacyResult(reply.result) : reply.result;
    }
    if (method === "tasks/list") {
      // All of a session's tasks fit on one page, so that no cursor was ever given.
      if (readCursor(params, method) !== null) throw new CmcpError("CURSOR_INVALID", "the cursor is not of this list");
      return { tasks: this.#ports.tasks(await session()).map((task) => legacyTask(task)) };
    }
    if (method === "logging/setLevel" && opened !== undefined) {
      opened.logLevel = readLogLevel(params);
      return {};
    }
    if (method !== "ping") throw methodNotFound(method, "is not supported by this gateway");
    readNoParams(params, "ping");
    return {};
  }

  async #tools(tools: readonly JsonObject[], opened: OpenedSession<Session> | undefined): Promise<JsonObject[]> {
    const support = hasTasks(opened) ? await this.#ports.taskSupport(tools) : new Map<string, string>();
    return tools.map((tool) =>
      legacyTool(tool, (typeof tool.name === "string" ? support.get(tool.name) : null) ?? null),
    );
  }

  /** The agent, as servers may reach it while they work on its request. */
  #peer(params: JsonObject, { headers, opened }: Inbound<Session>, stream: ReplyStream, signal: AbortSignal): Peer {
    const token = readProgressToken(params);
    const streams = acceptsStream(headers);
    const capabilities = streams && opened !== undefined ? withoutTasks(opened.capabilities) : {};
    return {
      signal,
      capabilities,
      wantsProgress: streams && token !== null,
      wantsLog: streams && opened !== undefined,
      logLevel: opened?.logLevel ?? null,
      input: streams && opened !== undefined ? "ask" : "none",
      notify: async (method, said) => {
        await stream.event(
          notificationText(
            method,
            method === "notifications/progress" && token !== null ? { ...said, progressToken: token } : said,
          ),
        );
      },
      ask: async (method, said, until) => {
        if (opened === undefined) throw new CmcpError("NOT_SUPPORTED", "nobody can be asked without a session");
        return await opened.asked.ask(
          stream,
          method,
          askable(opened.capabilities, method, said),
          until === undefined ? [signal] : [signal, until],
        );
      },
    };
  }
}

/** Tasks belong to a session of the version that has them. */
function hasTasks(opened: { readonly version: string } | undefined): boolean {
  return opened?.version === LEGACY_TASKS_VERSION;
}

/** A task as the answer to the call that made it, or to a request about it. */
function taskResult(method: GovernedMethod, { task, meta = {} }: Extract<Reply, { ok: "task" }>): JsonObject {
  return method === "tools/call" ? { task: legacyTask(task), _meta: meta } : { ...legacyTask(task), _meta: meta };
}
