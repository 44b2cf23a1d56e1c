import { asCmcpError, type JsonObject } from "@cmcp/boundary";
import { encodeHeaderValue } from "../../modern/header-value.ts";
import { META } from "../../modern/meta-keys.ts";
import { MODERN_VERSION } from "../../versions.ts";
import { readAnswer, readRefusal } from "../answer.ts";
import type { HttpExchange } from "../exchange.ts";
import { DRAIN_MS, type Exchanges } from "../exchanges.ts";
import { protocolFault, refusalFault, upstreamFault, withSent } from "../fault.ts";
import type { UpstreamLimits } from "../options.ts";

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
  readonly #clientInfo: { readonly name: string; readonly version: string };
  #nextId = 1;

  constructor(exchanges: Exchanges, clientInfo: { readonly name: string; readonly version: string }) {
    this.#exchanges = exchanges;
    this.#clientInfo = clientInfo;
  }

  /**
   * Sends a request and returns its result without `resultType`. Closing the stream is what cancels it at the
   * server. Every error says in `detail.sent` whether the request may have left.
   */
  async request({ method, params, headers = {} }: ModernRequest, signal: AbortSignal, limits?: UpstreamLimits): Promise<JsonObject> {
    const id = this.#nextId++;
    const envelope = { [META.protocolVersion]: MODERN_VERSION, [META.clientInfo]: { ...this.#clientInfo }, [META.clientCapabilities]: {} };
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: envelope } });
    const named = typeof params.name === "string" ? { "mcp-name": encodeHeaderValue(params.name) } : {};
    const standard = { "mcp-protocol-version": MODERN_VERSION, "mcp-method": method, ...named };
    const exchange = this.#exchanges.post({ ...headers, ...standard }, body, signal, limits);
    try {
      const result = await this.#result(exchange, id);
      exchange.release(DRAIN_MS);
      return result;
    } catch (thrown) {
      exchange.abandon();
      throw withSent(asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read"), exchange.sent);
    }
  }

  async #result(exchange: HttpExchange, id: number): Promise<JsonObject> {
    const { status, headers } = await exchange.head();
    const { maxResponseBytes } = this.#exchanges.limits;
    if (status !== 200) throw await readRefusal(exchange, status, headers, id, maxResponseBytes);
    for await (const message of readAnswer(exchange, headers, maxResponseBytes)) {
      if (message.kind === "notification") continue;
      // Streamable HTTP, "Receiving Messages": servers make no requests of their own in this era.
      if (message.kind === "request") throw protocolFault("the tool server makes a request of its own, which MCP 2026-07-28 does not have");
      if (message.id !== id) throw protocolFault("the tool server answered another request's id");
      if (message.kind === "failure") throw refusalFault(message.error.code);
      return complete(message.result);
    }
    throw protocolFault("the tool server's answer ended without a reply");
  }
}

/** MCP 2026-07-28, Base Protocol, "ResultType": absent is complete, unknown is invalid. */
function complete(answered: JsonObject): JsonObject {
  const { resultType = "complete", ...result } = answered;
  if (resultType === "complete") return result;
  if (resultType === "input_required") {
    throw upstreamFault("UPSTREAM_INPUT_REQUIRED", "the tool server asks for further input, which this gateway does not pass on yet", true);
  }
  throw protocolFault("the tool server's result is of a type this gateway does not know");
}
