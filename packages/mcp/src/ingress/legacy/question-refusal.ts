import { RPC } from "../../jsonrpc/reply.ts";
import { UpstreamRefusal } from "../../upstream/refusal.ts";

/** MCP 2025-11-25, Sampling, "Error Handling": a person said no. */
const REJECTED_BY_USER = -1;

/** The errors that a client has for a question, and what the gateway says for each. */
const MESSAGES: ReadonlyMap<number, string> = new Map([
  [REJECTED_BY_USER, "the user rejected the request"],
  [RPC.methodNotFound, "method not supported"],
  [RPC.invalidParams, "invalid parameters"],
]);

/** An agent's refusal of a question, in the gateway's words: nobody decided about the agent's own. */
export function questionRefusal(code: number): UpstreamRefusal {
  const message = MESSAGES.get(code);
  return message === undefined
    ? new UpstreamRefusal({ code: RPC.internalError, message: "the client did not answer" })
    : new UpstreamRefusal({ code, message });
}
