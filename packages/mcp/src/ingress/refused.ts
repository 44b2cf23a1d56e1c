import { RPC } from "../jsonrpc/reply.ts";
import type { ErrorCode } from "@cmcp/boundary";
import type { Era } from "./era.ts";
import type { Reply } from "./ports.ts";
import { Refusal } from "./refusal.ts";

/** MCP 2025-11-25, Resources, "Error Handling". */
const RESOURCE_NOT_FOUND = -32002;

/** What the protocol calls invalid parameters: names and handles of nothing. */
const INVALID_PARAMS: readonly ErrorCode[] = ["PROMPT_NOT_IN_CATALOG", "REQUEST_STATE_INVALID", "TASK_UNKNOWN"];

/** The JSON-RPC code of a refusal of the gateway's own, where the protocol has one for it. */
function rpcCode(code: ErrorCode, era: Era): number {
  if (code === "RESOURCE_NOT_IN_CATALOG") return era === "modern" ? RPC.invalidParams : RESOURCE_NOT_FOUND;
  // MCP 2025-11-25, Tasks, "Tool-Level Negotiation".
  if (code === "TASK_NOT_SUPPORTED") return RPC.methodNotFound;
  return INVALID_PARAMS.includes(code) ? RPC.invalidParams : RPC.refused;
}

/** HTTP status of a server's own JSON-RPC error (MCP 2026-07-28, Streamable HTTP): the protocol's words for what was not understood. */
function statusOf(code: number): number {
  if (code === RPC.methodNotFound) return 404;
  const understood = [
    RPC.parseError,
    RPC.invalidRequest,
    RPC.invalidParams,
    RPC.headerMismatch,
    RPC.missingCapability,
    RPC.unsupportedVersion,
  ].every((known) => known !== code);
  return understood ? 200 : 400;
}

/** The refusal a reply stands for: the gateway's own, or a server's with its code and words. */
export function refusedReply(reply: Extract<Reply, { ok: false }>, era: Era): Refusal {
  if (reply.rpc === undefined) {
    const own = rpcCode(reply.code, era);
    return new Refusal(reply.code, own, reply.message, {
      data: reply.data,
      ...(era === "modern" && own === RPC.methodNotFound ? { status: statusOf(own) } : {}),
    });
  }
  const { code, message, data } = reply.rpc;
  return new Refusal(reply.code, code, message, {
    status: statusOf(code),
    data: { ...(typeof data === "object" && data !== null && !Array.isArray(data) ? data : {}), ...reply.data },
  });
}
