import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { RpcMessage, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, resultText } from "../../jsonrpc/reply.ts";
import { META } from "../../modern/meta-keys.ts";
import { withoutMirroring } from "../../modern/mirrored-parameters.ts";
import { MODERN_VERSION, SUPPORTED_VERSIONS } from "../../versions.ts";
import { takeCallerContext, type CallerContext } from "../caller-context.ts";
import { readNoParams, readToolCall } from "../params.ts";
import type { Caller, McpPorts } from "../ports.ts";
import { Refusal, asRefusal, jsonResponse, methodNotFound, refusalResponse } from "../refusal.ts";
import { Running } from "./running.ts";

/** One modern message, its envelope and headers checked, with what HTTP says beside it. */
export interface ModernInbound {
  readonly caller: Caller;
  readonly headers: Headers;
  /** Aborts when the agent closes the response stream, which is how this era cancels. */
  readonly gone: AbortSignal;
}

/** Methods of this era that are not offered. */
const NOT_YET: readonly string[] = ["prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read", "completion/complete", "subscriptions/listen"];
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
    try {
      return jsonResponse(resultText(message.id, this.#complete(await this.#handle(message, inbound))), 200);
    } catch (thrown) {
      const refusal = asRefusal(thrown);
      return refusalResponse(refusal, message.id, statusOf(refusal));
    }
  }

  async #handle(message: RpcRequest, inbound: ModernInbound): Promise<JsonObject> {
    const { context, params } = takeCallerContext(inbound.headers, message.params);
    switch (message.method) {
      case "server/discover":
        readNoParams(params, message.method);
        return { supportedVersions: [...SUPPORTED_VERSIONS], capabilities: { tools: {} }, ttlMs: DISCOVER_TTL_MS, cacheScope: "private" };
      case "tools/list":
        return await this.#listTools(params, context, inbound);
      case "tools/call":
        return await this.#callTool({ ...message, params }, context, inbound);
      default:
        throw methodNotFound(message.method, NOT_YET.includes(message.method) ? "is not supported by this gateway yet" : `is no method of MCP ${MODERN_VERSION}`, 404);
    }
  }

  async #listTools(params: JsonObject, context: CallerContext, { caller }: ModernInbound): Promise<JsonObject> {
    readNoParams(params, "tools/list");
    const session = await this.#ports.sessions.default(caller, context.label);
    const tools = await this.#running.run(session, async () => this.#ports.listTools(caller, session));
    // Policy chose them for this caller, in what its session has seen by now: for no one else, and not for later.
    return { tools: tools.map((tool) => ({ ...tool, inputSchema: withoutMirroring(tool.inputSchema) })), ttlMs: 0, cacheScope: "private" };
  }

  async #callTool(message: RpcRequest & { params: JsonObject }, context: CallerContext, { caller, gone }: ModernInbound): Promise<JsonObject> {
    const call = { ...readToolCall(message.params), workflowId: context.workflowId, dataClass: context.dataClass, requestId: message.id };
    const session = await this.#ports.sessions.default(caller, context.label);
    const reply = await this.#running.run(session, () => this.#ports.callTool(caller, session, call, gone));
    if (!reply.ok) throw new Refusal(reply.code, RPC.refused, reply.message, { data: reply.data });
    return reply.result;
  }

  /** What every result of this era says of itself. A tool's own word on either is overruled. */
  #complete(result: JsonObject): JsonObject {
    const meta = isJsonObject(result._meta) ? result._meta : {};
    return { ...result, resultType: "complete", _meta: { ...meta, [META.serverInfo]: { ...this.#ports.serverInfo } } };
  }
}
