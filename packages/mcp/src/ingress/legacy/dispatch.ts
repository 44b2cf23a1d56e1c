import type { JsonObject } from "@cmcp/boundary";
import { resultText, RPC } from "../../jsonrpc/reply.ts";
import type { RpcNotification, RpcRequest } from "../../jsonrpc/message.ts";
import type { Caller, McpPorts } from "../ports.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import { readNoParams, readToolCall } from "../params.ts";
import { Refusal, invalidParams, invalidRequest, jsonResponse, methodNotFound } from "../refusal.ts";
import { readInitialize } from "./initialize.ts";
import type { OpenedSession, OpenedSessions } from "./opened.ts";
import { legacyResult, legacyTool } from "./tool-shape.ts";

/** One legacy-era request with everything its HTTP envelope says about it. */
export interface Inbound<Session> {
  readonly caller: Caller;
  readonly headers: Headers;
  readonly opened: OpenedSession<Session> | undefined;
  /** Aborts when the agent goes away. */
  readonly gone: AbortSignal;
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
  async request(message: RpcRequest, inbound: Inbound<Session>): Promise<Response> {
    if (message.method === "initialize") return this.#initialize(message, inbound);
    const { context, params } = takeCallerContext(inbound.headers, message.params);
    if (inbound.opened !== undefined && context.label !== null) {
      throw invalidParams("_cmcp.session_id and Mcp-Session-Id both name a session; send one");
    }
    const handle = (gone: AbortSignal): Promise<Response> => this.#handle({ ...message, params }, context, inbound, gone);
    // Without a session, clients that know nothing of each other share a principal, and their ids may meet.
    return inbound.opened === undefined ? handle(inbound.gone) : inbound.opened.inFlight.run(message.id, inbound.gone, handle);
  }

  /** Takes a notification; those this gateway has no use for change nothing. */
  notification(message: RpcNotification, inbound: Inbound<Session>): void {
    if (message.method === "notifications/cancelled") inbound.opened?.inFlight.cancel(message.params?.requestId);
  }

  async #initialize(message: RpcRequest, inbound: Inbound<Session>): Promise<Response> {
    if (inbound.opened !== undefined) throw invalidRequest("this session is already initialized");
    const params = message.params ?? {};
    if ("_cmcp" in params) throw invalidParams("initialize takes no _cmcp; send it with tools/call");
    const protocolVersion = readInitialize(params);
    const handle = await this.#sessions.open(inbound.caller, protocolVersion);
    const result = { protocolVersion, capabilities: { tools: {} }, serverInfo: { ...this.#ports.serverInfo } };
    return jsonResponse(resultText(message.id, result), 200, { "mcp-session-id": handle });
  }

  async #handle(message: RpcRequest & { params: JsonObject }, context: CallerContext, inbound: Inbound<Session>, gone: AbortSignal): Promise<Response> {
    const { caller, opened } = inbound;
    const session = async (): Promise<Session> => opened?.session ?? (await this.#ports.sessions.default(caller, context.label));
    switch (message.method) {
      case "ping":
        readNoParams(message.params, "ping");
        return jsonResponse(resultText(message.id, {}), 200);
      case "tools/list": {
        readNoParams(message.params, "tools/list");
        const tools = await this.#ports.listTools(caller, await session());
        return jsonResponse(resultText(message.id, { tools: tools.map(legacyTool) }), 200);
      }
      case "tools/call": {
        const call = { ...readToolCall(message.params), workflowId: context.workflowId, dataClass: context.dataClass, requestId: message.id };
        const reply = await this.#ports.callTool(caller, await session(), call, gone);
        if (!reply.ok) throw new Refusal(reply.code, RPC.refused, reply.message, { data: reply.data });
        return jsonResponse(resultText(message.id, legacyResult(reply.result)), 200);
      }
      default:
        throw methodNotFound(message.method, "is not supported by this gateway yet");
    }
  }
}
