import type { JsonObject } from "@cmcp/boundary";
import { methodOf } from "../../protocol/methods.ts";
import { refused, type Outcome, type RpcBody } from "../../protocol/outcome.ts";
import { legacyTask } from "../../tasks/state.ts";
import { legacyContents, legacyResult } from "../legacy/tool-shape.ts";
import { errorBody, type ErrorOutcome } from "./error-body.ts";
import { isForTheModel, refusedCall } from "./refused-call.ts";
import type { RequestKind } from "./request-kind.ts";

/** A result in the words of the legacy era. */
function legacyShape(method: string, result: JsonObject): JsonObject {
  const row = methodOf(method);
  if (row === undefined || row.kind === "list" || row.kind === "local") return result;
  if (row.result === "contents") return legacyContents(result);
  return row.result === "tool" ? legacyResult(result) : result;
}

/**
 * How agents of the legacy era are answered. In a session that `initialize` opened every answer is HTTP 200, as clients take
 * any other for a fault of the transport, and a refused tool call is a result.
 */
export function legacyPresenter(request: RequestKind, inSession: boolean): (outcome: Outcome) => RpcBody {
  const error = (outcome: ErrorOutcome): RpcBody => {
    if (inSession && isForTheModel(request, outcome)) return { result: refusedCall(outcome) };
    const body = errorBody(outcome, "legacy");
    return inSession ? { ...body, status: 200 } : body;
  };
  return (outcome) => {
    switch (outcome.kind) {
      case "result":
        return { result: legacyShape(request.method, outcome.result) };
      case "input":
        return error(
          refused("UPSTREAM_INPUT_REQUIRED", "the server asks for input that this agent cannot be asked for"),
        );
      case "task": {
        const task = legacyTask(outcome.task);
        return { result: request.method === "tools/call" ? { task } : task };
      }
      case "error":
        return error(outcome);
    }
  };
}
