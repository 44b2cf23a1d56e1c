import { CmcpError, asCmcpError, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import { RPC, errorText } from "../jsonrpc/reply.ts";
import type { RequestId } from "../jsonrpc/message.ts";
import type { HttpResponse } from "./http-response.ts";

/** A request the endpoint itself refuses, with the JSON-RPC code and HTTP status it is answered with. */
export class Refusal extends CmcpError {
  readonly rpcCode: number;
  readonly status: number;
  readonly data: JsonObject;

  constructor(
    code: ErrorCode,
    rpcCode: number,
    message: string,
    options: { status?: number; data?: JsonObject; cause?: unknown } = {},
  ) {
    super(code, message, { cause: options.cause });
    this.rpcCode = rpcCode;
    this.status = options.status ?? this.httpStatus;
    this.data = { ...options.data, error_code: code };
  }
}

/** -32600: the message or its HTTP envelope is wrong. */
export function invalidRequest(message: string, status?: number): Refusal {
  return new Refusal("MCP_INVALID_REQUEST", RPC.invalidRequest, message, status === undefined ? {} : { status });
}

/** -32602: the method is known and its parameters are wrong. */
export function invalidParams(message: string): Refusal {
  return new Refusal("MCP_INVALID_REQUEST", RPC.invalidParams, message);
}

/** -32601, with the method repeated where it is worth repeating: the caller may have sent anything. */
export function methodNotFound(method: string, why: string, status?: number): Refusal {
  const named = /^[A-Za-z0-9_/.-]{1,64}$/.test(method) ? method : "(unreadable)";
  return new Refusal(
    "NOT_SUPPORTED",
    RPC.methodNotFound,
    `method ${named} ${why}`,
    status === undefined ? {} : { status },
  );
}

function rpcCodeOf(code: ErrorCode): number {
  if (code === "INTERNAL") return RPC.internalError;
  return code === "CURSOR_INVALID" ? RPC.invalidParams : RPC.refused;
}

/** Anything thrown while a request was handled, as a refusal; unknown errors lose their text. */
export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const error = asCmcpError(thrown, "INTERNAL", "the gateway failed to handle the request");
  return new Refusal(error.code, rpcCodeOf(error.code), error.message, { cause: thrown });
}

const HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

/** A JSON response; payloads are never to be cached by anything on the way. */
export function jsonResponse(
  text: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, headers: { ...HEADERS, ...headers }, body: text };
}

/** The HTTP answer to a refused request. */
export function refusalResponse(refusal: Refusal, id: RequestId | null, status: number = refusal.status): HttpResponse {
  return jsonResponse(errorText(id, refusal.rpcCode, refusal.message, refusal.data), status);
}
