import type { JsonObject } from "@cmcp/boundary";
import type { UpstreamAnswer } from "@cmcp/mcp";
import { inspectTaskAnswer, type TaskPorts } from "./answer-task.ts";
import { toInputRequests } from "./pending-questions.ts";
import type { Call } from "./call.ts";
import { fail, type Ending } from "./ending.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import { stateContext, type RequestStates } from "./request-state.ts";
import { deliver, resultEnding } from "./result-ending.ts";
import type { TaskReservation } from "./tasks.ts";

/** What inspecting an answer needs. */
export interface InspectionPorts extends TaskPorts {
  readonly states: Pick<RequestStates, "seal">;
}

/** A server's answer, with the peer and the task reservation of its call. */
export interface ServerAnswer {
  readonly answer: UpstreamAnswer;
  readonly peer: InspectedPeer;
  readonly reservation: TaskReservation | null;
}

/** The ending for a server's answer. Everything the agent gets is rebuilt, and redacted as the permit says. */
export function inspectResult(call: Call, permit: Permit, serverAnswer: ServerAnswer, ports: InspectionPorts): Ending {
  const { answer, peer } = serverAnswer;
  try {
    if (answer.kind === "input_required") {
      const questions = answer.inputRequests === null ? {} : peer.permitInputRequests(answer.inputRequests);
      const requestState = ports.states.seal(stateContext(call), { serverState: answer.requestState, questions });
      const inputRequests = answer.inputRequests === null ? null : toInputRequests(questions);
      const outcome = { kind: "input", inputRequests, requestState } as const;
      return deliver(permit, outcome, { outcome: "input_required", ...peer.detail });
    }
    const aboutTask = inspectTaskAnswer(call, permit, { ...serverAnswer, answer }, ports);
    if (aboutTask !== null) return aboutTask;
    if (call.request.method === "resources/subscribe")
      return deliver(permit, { kind: "result", result: {} }, { outcome: "subscribed" });
    return resultEnding(call, permit, { result: bodyOf(answer), peer, outcome: "delivered" }, ports.maxBytes);
  } catch (thrown) {
    return fail(permit, thrown, peer.detail);
  }
}

function bodyOf(answer: Exclude<UpstreamAnswer, { kind: "input_required" }>): JsonObject {
  return answer.kind === "complete" ? answer.result : answer.task;
}
