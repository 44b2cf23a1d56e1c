import { legacyTask } from "../tasks/state.ts";
import { RPC } from "../jsonrpc/reply.ts";
import type { Outcome, RpcBody } from "./outcome.ts";

/** An outcome for the gateway itself, which is no agent of either era. */
export function plainBody(outcome: Outcome): RpcBody {
  switch (outcome.kind) {
    case "result":
      return { result: outcome.result };
    case "input":
      return { result: { inputRequests: outcome.inputRequests ?? {}, requestState: outcome.requestState } };
    case "task":
      return { result: { ...legacyTask(outcome.task), ...outcome.ending } };
    case "error":
      return { error: { code: RPC.refused, message: outcome.message, data: outcome.data }, status: 200 };
  }
}
