import type { JsonObject } from "@cmcp/boundary";
import type { UpstreamAnswer } from "@cmcp/mcp";
import { answerTask, type TaskPorts } from "./answer-task.ts";
import { asRequests } from "./asked.ts";
import type { Call } from "./call.ts";
import { failed, type Ending } from "./ending.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import { stateContext, type RequestStates } from "./request-state.ts";
import { delivered, resultEnding } from "./result-ending.ts";
import type { TaskPlace } from "./tasks.ts";

/** What answers are inspected with. */
export interface InspectionPorts extends TaskPorts {
  readonly states: Pick<RequestStates, "seal">;
}

/** A server's answer, with what it belongs to. */
export interface Answered {
  readonly answer: UpstreamAnswer;
  readonly peer: InspectedPeer;
  readonly place: TaskPlace | null;
}

/** Makes of a server's answer what the agent is told, all of it rebuilt under the decision it belongs to. */
export function inspectResult(call: Call, permit: Permit, answered: Answered, ports: InspectionPorts): Ending {
  const { answer, peer } = answered;
  try {
    if (answer.kind === "input_required") {
      const asked = answer.inputRequests === null ? {} : peer.permit(answer.inputRequests);
      const requestState = ports.states.seal(stateContext(call), { upstream: answer.requestState, asked });
      const inputRequests = answer.inputRequests === null ? null : asRequests(asked);
      const outcome = { kind: "input", inputRequests, requestState } as const;
      return delivered(permit, outcome, { outcome: "input_required", ...peer.detail });
    }
    const aboutTask = answerTask(call, permit, { ...answered, answer }, ports);
    if (aboutTask !== null) return aboutTask;
    if (call.request.method === "resources/subscribe")
      return delivered(permit, { kind: "result", result: {} }, { outcome: "subscribed" });
    return resultEnding(call, permit, { result: bodyOf(answer), peer, outcome: "delivered" }, ports.maxBytes);
  } catch (thrown) {
    return failed(permit, thrown, peer.detail);
  }
}

function bodyOf(answer: Exclude<UpstreamAnswer, { kind: "input_required" }>): JsonObject {
  return answer.kind === "complete" ? answer.result : answer.task;
}
