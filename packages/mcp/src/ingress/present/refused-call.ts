import { ERROR_CODES, isJsonObject, type Advice, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import type { RequestKind } from "./request-kind.ts";
import type { ErrorOutcome } from "./error-body.ts";

/** Where the result of a refused call says its code and what the agent can do about it. */
export const ERROR_META_KEY = "cmcp.gateway/error";

/** Refusals that stay JSON-RPC errors: nobody reads the answer, or the protocol demands the error. */
const PROTOCOL_ERRORS: readonly ErrorCode[] = ["REQUEST_CANCELLED", "REQUEST_STATE_INVALID", "TASK_NOT_SUPPORTED"];

const SENTENCES: Readonly<Record<Advice, string>> = {
  retry: "You can try the same call again later, if it does no harm when it runs twice.",
  "wait-for-approval": "Tell whoever you work for that it waits. Until then the same call gets the same answer.",
  "change-arguments": "Change the arguments before you call it again.",
  "give-up": "Do not try this call again.",
};

/**
 * True for a refusal that an agent's model is to read: a tool call that was understood. A call as a task is answered with a
 * task or an error (MCP 2025-11-25, Tasks, "Creating Tasks"); a server's own error stays what it is.
 */
export function isForTheModel({ method, asTask }: RequestKind, { code, rpc }: ErrorOutcome): boolean {
  return method === "tools/call" && !asTask && rpc === undefined && !PROTOCOL_ERRORS.includes(code);
}

/** The result of a refused tool call (MCP, Tools, "Error Handling"): frameworks show its text to their model. */
export function refusedCall({ code, message, data }: ErrorOutcome): JsonObject {
  const { http, advice } = ERROR_CODES[code];
  const became = http !== null && http >= 500 ? "failed" : "was refused";
  const text = `This tool call ${became}: ${message.replace(/\.$/, "")}. ${SENTENCES[advice]}`;
  return {
    content: [{ type: "text", text }],
    isError: true,
    _meta: { [ERROR_META_KEY]: { code, advice, ...askedOf(data) } },
  };
}

/** What the gateway says of the approval that a call waits for, or of a permission that does not fit. Other data of a refusal is for programs that read errors. */
function askedOf({ approval, disclosure }: JsonObject): JsonObject {
  return {
    ...(isJsonObject(approval) ? { approval } : {}),
    ...(isJsonObject(disclosure) ? { disclosure } : {}),
  };
}
