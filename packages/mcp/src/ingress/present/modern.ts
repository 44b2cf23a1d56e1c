import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { META } from "../../modern/meta-keys.ts";
import type { Outcome, RpcBody } from "../../protocol/outcome.ts";
import { modernTask } from "../../tasks/state.ts";
import { errorBody } from "./error-body.ts";
import { isForTheModel, refusedCall } from "./refused-call.ts";
import type { RequestKind } from "./request-kind.ts";

/** What a result of the modern era is; a server's own word on that is overruled. */
type ResultType = "complete" | "input_required" | "task";

/** Name and version of the gateway. */
export interface ServerInfo {
  readonly name: string;
  readonly version: string;
}

/** A result with what every result of this era says of itself (MCP 2026-07-28, Base Protocol). */
export function modernResult(result: JsonObject, serverInfo: ServerInfo, type: ResultType = "complete"): RpcBody {
  const meta = isJsonObject(result._meta) ? result._meta : {};
  return { result: { ...result, resultType: type, _meta: { ...meta, [META.serverInfo]: { ...serverInfo } } } };
}

/** A task as the answer to the call that became it, or its state with how it ended; who cancelled it is told no more than that. */
function taskBody(
  { method }: RequestKind,
  { task, ending }: Extract<Outcome, { kind: "task" }>,
  serverInfo: ServerInfo,
): RpcBody {
  if (method === "tools/call") return modernResult(modernTask(task), serverInfo, "task");
  return modernResult(method === "tasks/cancel" ? {} : { ...modernTask(task), ...ending }, serverInfo);
}

/** How agents of the modern era are answered: a refused tool call is a result. */
export function modernPresenter(request: RequestKind, serverInfo: ServerInfo): (outcome: Outcome) => RpcBody {
  return (outcome) => {
    switch (outcome.kind) {
      case "result":
        return modernResult(
          // What a resource says now may not be what it says, or what this caller may read, later.
          request.method === "resources/read" ? { ttlMs: 0, ...outcome.result, cacheScope: "private" } : outcome.result,
          serverInfo,
        );
      case "input": {
        const { inputRequests, requestState } = outcome;
        const asked = inputRequests === null ? {} : { inputRequests };
        return modernResult({ ...asked, requestState }, serverInfo, "input_required");
      }
      case "task":
        return taskBody(request, outcome, serverInfo);
      case "error":
        return isForTheModel(request, outcome)
          ? modernResult(refusedCall(outcome), serverInfo)
          : errorBody(outcome, "modern");
    }
  };
}
