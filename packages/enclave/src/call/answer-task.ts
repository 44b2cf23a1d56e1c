import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { inspectError, removeLookAlikesOfText } from "@cmcp/inspection";
import { readTask, relatedTo, type TaskState, type UpstreamAnswer } from "@cmcp/mcp";
import { toInputRequests, hasNoQuestions, type PendingQuestions } from "./pending-questions.ts";
import type { Call } from "./call.ts";
import type { Ending } from "./ending.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import { deliver, resultEnding } from "./result-ending.ts";
import type { Task, TaskReservation, Tasks } from "./tasks.ts";

type Complete = Exclude<UpstreamAnswer, { kind: "input_required" }>;

/** A server's answer that may be a task or about a task. */
export interface TaskAnswer {
  readonly answer: Complete;
  readonly peer: InspectedPeer;
  readonly reservation: TaskReservation | null;
}

/** What inspecting such an answer needs. */
export interface TaskPorts {
  /** Largest result that is delivered, in bytes. */
  readonly maxBytes: number;
  readonly tasks: Pick<Tasks, "update" | "removeQuestions">;
}

/**
 * The ending of a call whose answer is a task or about a task. Task ids become the gateway's. Results and questions are inspected as
 * those of the call that made the task.
 * @returns `null` for the answer of a plain call
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`, `POLICY_DENY` for a question that policy refuses
 */
export function inspectTaskAnswer(call: Call, permit: Permit, taskAnswer: TaskAnswer, ports: TaskPorts): Ending | null {
  const { request, task } = call;
  const { answer, peer } = taskAnswer;
  if (task === null) return createdTask(call, permit, taskAnswer);
  if (answer.kind === "task") throw protocolError("the tool server answered a request about a task with a task");
  if (request.method === "tasks/get")
    return taskStateEnding(call, permit, { task, taskAnswer, status: answer.result }, ports);
  if (request.method === "tasks/result") {
    const wrap = (result: JsonObject) => ({ kind: "result", result: relatedTo(result, task.id) }) as const;
    return resultEnding(call, permit, { result: answer.result, peer, outcome: "delivered", wrap }, ports.maxBytes);
  }
  if (request.method !== "tasks/update")
    throw new CmcpError("INTERNAL", "a request without a task reached the inspection of task answers");
  ports.tasks.removeQuestions(call.recorded.session.id, task, Object.keys(request.input?.responses ?? {}));
  return deliver(permit, { kind: "result", result: {} }, { outcome: "delivered", ...peer.detail });
}

/** The ending of a call that became a task; `null` if it did not become one. */
function createdTask({ request }: Call, permit: Permit, { answer, reservation, peer }: TaskAnswer): Ending | null {
  if (answer.kind === "complete" && request.task === null) return null;
  if (reservation === null) throw protocolError("the tool server answered with a task where none was requested");
  const task = reservation.commit(readTask(answer.kind === "task" ? answer.task : answer.result.task));
  const outcome = { kind: "task", task: withoutUnsafeText(permit, task.state), ending: {} } as const;
  return deliver(permit, outcome, { outcome: "task_created", ...peer.detail });
}

interface TaskStatus {
  readonly task: Task;
  readonly taskAnswer: TaskAnswer;
  readonly status: JsonObject;
}

/** The ending for a task's state: completed, failed, waiting for input, or still running. */
function taskStateEnding(
  call: Call,
  permit: Permit,
  { task, taskAnswer, status }: TaskStatus,
  ports: TaskPorts,
): Ending {
  const { peer } = taskAnswer;
  const state = readTask(status);
  if (state.taskId !== task.upstreamId) throw protocolError("the tool server answered for another task");
  const session = call.recorded.session.id;
  const questions: PendingQuestions =
    state.status === "input_required" && isJsonObject(status.inputRequests)
      ? peer.permitInputRequests(status.inputRequests)
      : {};
  const visibleState = withoutUnsafeText(permit, ports.tasks.update(session, task, state, questions));
  const { result, error } = status;
  if (state.status === "completed" && isJsonObject(result)) {
    const wrap = (inspected: JsonObject) =>
      ({ kind: "task", task: visibleState, ending: { result: inspected } }) as const;
    return resultEnding(call, permit, { result, peer, outcome: state.status, wrap }, ports.maxBytes);
  }
  const ending = taskEnding(permit, state, { error, questions });
  return deliver(permit, { kind: "task", task: visibleState, ending }, { outcome: state.status, ...peer.detail });
}

function taskEnding(
  { redactFields }: Permit,
  { status }: TaskState,
  { error, questions }: { readonly error: JsonObject[string] | undefined; readonly questions: PendingQuestions },
): { readonly error?: JsonObject; readonly inputRequests?: JsonObject } {
  if (status === "failed" && isJsonObject(error))
    return { error: inspectError(error, { withholdText: redactFields.length > 0, instead: "the task failed" }) };
  return hasNoQuestions(questions) ? {} : { inputRequests: toInputRequests(questions) };
}

/**
 * A task without status text that imitates the gateway's. Where fields are redacted there is no status text at all,
 * as it could repeat them.
 */
function withoutUnsafeText({ redactFields }: Permit, state: TaskState): TaskState {
  const { statusMessage: words } = state;
  if (words === null) return state;
  return { ...state, statusMessage: redactFields.length === 0 ? removeLookAlikesOfText(words) : null };
}

function protocolError(message: string): CmcpError {
  return new CmcpError("UPSTREAM_PROTOCOL_ERROR", message, { detail: { sent: 1 } });
}
