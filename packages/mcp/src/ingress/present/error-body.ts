import { ERROR_CODES, type ErrorCode } from "@cmcp/boundary";
import { RPC } from "../../jsonrpc/reply.ts";
import type { Era } from "../../protocol/era.ts";
import type { Outcome, RpcBody } from "../../protocol/outcome.ts";

/** An outcome without a result. */
export type ErrorOutcome = Extract<Outcome, { readonly kind: "error" }>;

/** MCP 2025-11-25, Resources, "Error Handling". */
const RESOURCE_NOT_FOUND = -32002;

/** What the protocol calls invalid parameters: names and handles of nothing. */
const INVALID_PARAMS: readonly ErrorCode[] = ["PROMPT_NOT_IN_CATALOG", "REQUEST_STATE_INVALID", "TASK_UNKNOWN"];

/** Errors that say a request was not understood (MCP 2026-07-28, Streamable HTTP). */
const NOT_UNDERSTOOD: readonly number[] = [
  RPC.parseError,
  RPC.invalidRequest,
  RPC.invalidParams,
  RPC.headerMismatch,
  RPC.missingCapability,
  RPC.unsupportedVersion,
];

/** The JSON-RPC code of a refusal of the gateway's own, where the protocol has one for it. */
function rpcCode(code: ErrorCode, era: Era): number {
  if (code === "RESOURCE_NOT_IN_CATALOG") return era === "modern" ? RPC.invalidParams : RESOURCE_NOT_FOUND;
  // MCP 2025-11-25, Tasks, "Tool-Level Negotiation".
  if (code === "TASK_NOT_SUPPORTED") return RPC.methodNotFound;
  if (code === "INTERNAL") return RPC.internalError;
  return INVALID_PARAMS.includes(code) ? RPC.invalidParams : RPC.refused;
}

/** HTTP status of a server's own JSON-RPC error: the protocol's words for what was not understood. */
function statusOf(code: number): number {
  if (code === RPC.methodNotFound) return 404;
  return NOT_UNDERSTOOD.includes(code) ? 400 : 200;
}

/** The status in the modern era. 400 and 404 say that a request was not understood; clients read any other answer under 200. */
function modernStatus(code: number, http: number): number {
  if (code === RPC.methodNotFound) return 404;
  return code === RPC.refused || code === RPC.internalError ? 200 : http;
}

/** The error that an outcome stands for: the gateway's own, or a server's with its code and words. */
export function errorBody({ code, message, data, rpc }: ErrorOutcome, era: Era): Extract<RpcBody, { error: unknown }> {
  if (rpc === undefined) {
    const own = rpcCode(code, era);
    const http = ERROR_CODES[code].http ?? 500;
    return {
      error: { code: own, message, data: { ...data, error_code: code } },
      status: era === "modern" ? modernStatus(own, http) : http,
    };
  }
  const said = typeof rpc.data === "object" && rpc.data !== null && !Array.isArray(rpc.data) ? rpc.data : {};
  const status = statusOf(rpc.code);
  return {
    error: { code: rpc.code, message: rpc.message, data: { ...said, ...data, error_code: code } },
    status: era === "modern" && rpc.code === RPC.internalError ? 200 : status,
  };
}
