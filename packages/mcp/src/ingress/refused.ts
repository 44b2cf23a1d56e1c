import { RPC } from "../jsonrpc/reply.ts";
import type { Reply } from "./ports.ts";
import { Refusal } from "./refusal.ts";

/** The refusal a reply stands for: the gateway's own, or a server's with its code and words. */
export function refusedReply(reply: Extract<Reply, { ok: false }>): Refusal {
  if (reply.rpc === undefined) return new Refusal(reply.code, RPC.refused, reply.message, { data: reply.data });
  const { code, message, data } = reply.rpc;
  return new Refusal(reply.code, code, message, { data: { ...(typeof data === "object" && data !== null && !Array.isArray(data) ? data : {}), ...reply.data } });
}
