import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { inspectError, removeLookAlikesOfText } from "@cmcp/inspection";
import { readTask, relatedTo, type TaskState, type UpstreamAnswer } from "@cmcp/mcp";
import { asRequests, asksNothing, type AskedQuestions } from "./asked.ts";
import type { Call } from "./call.ts";
import type { Ending } from "./ending.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import { delivered, resultEnding } from "./result-ending.ts";
import type { Task, TaskPlace, Tasks } from "./tasks.ts";

type Complete = Exclude<UpstreamAnswer, { kind: "input_required" }>;

/** An answer that may be a task, or about one. */
export interface TaskAnswered {
  readonly answer: Complete;
  readonly peer: InspectedPeer;
  readonly place: TaskPlace | null;
}

/** What answers about tasks are read with. */
export interface TaskPorts {
  /** Bytes of the largest result delivered. */
  readonly maxBytes: number;
  readonly tasks: Pick<Tasks, "update" | "answered">;
}

/**
 * Makes of a server's answer that is a task, or about one, what the agent is told: ids are the gateway's, results are inspected
 * as those of the call, questions are let through as those of the call. `null` when the answer is a plain call's.
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`, `POLICY_DENY` for questions that policy does not let the server ask
 */
export function answerTask(call: Call, permit: Permit, answered: TaskAnswered, ports: TaskPorts): Ending | null {
  const { request, task } = call;
  const { answer, peer } = answered;
  if (task === null) return made(call, permit, answered);
  if (answer.kind === "task") throw unexpected("the tool server answered a request about a task with a task");
  if (request.method === "tasks/get") return stateEnding(call, permit, { task, answered, said: answer.result }, ports);
  if (request.method === "tasks/result") {
    const within = (result: JsonObject) => ({ kind: "result", result: relatedTo(result, task.id) }) as const;
    return resultEnding(call, permit, { result: answer.result, peer, outcome: "delivered", within }, ports.maxBytes);
  }
  if (request.method !== "tasks/update")
    throw new CmcpError("INTERNAL", "a request that names no task was answered as one about a task");
  ports.tasks.answered(call.recorded.session.id, task, Object.keys(request.input?.responses ?? {}));
  return delivered(permit, { kind: "result", result: {} }, { outcome: "delivered", ...peer.detail });
}

/** A call that became a task, or did not though it could. */
function made({ request }: Call, permit: Permit, { answer, place, peer }: TaskAnswered): Ending | null {
  if (answer.kind === "complete" && request.task === null) return null;
  if (place === null) throw unexpected("the tool server made a task of what was not to become one");
  const task = place.take(readTask(answer.kind === "task" ? answer.task : answer.result.task));
  const outcome = { kind: "task", task: withoutWords(permit, task.state), ending: {} } as const;
  return delivered(permit, outcome, { outcome: "task_created", ...peer.detail });
}

interface Said {
  readonly task: Task;
  readonly answered: TaskAnswered;
  readonly said: JsonObject;
}

/** What a server says of a task: how it ended, what it needs, or that it goes on. */
function stateEnding(call: Call, permit: Permit, { task, answered, said }: Said, ports: TaskPorts): Ending {
  const { peer } = answered;
  const state = readTask(said);
  if (state.taskId !== task.upstreamId) throw unexpected("the tool server answered for another task");
  const session = call.recorded.session.id;
  const asked: AskedQuestions =
    state.status === "input_required" && isJsonObject(said.inputRequests) ? peer.permit(said.inputRequests) : {};
  const told = withoutWords(permit, ports.tasks.update(session, task, state, asked));
  const { result, error } = said;
  if (state.status === "completed" && isJsonObject(result)) {
    const within = (kept: JsonObject) => ({ kind: "task", task: told, ending: { result: kept } }) as const;
    return resultEnding(call, permit, { result, peer, outcome: state.status, within }, ports.maxBytes);
  }
  const ending = endingOf(permit, state, { error, asked });
  return delivered(permit, { kind: "task", task: told, ending }, { outcome: state.status, ...peer.detail });
}

function endingOf(
  { redactFields }: Permit,
  { status }: TaskState,
  { error, asked }: { readonly error: JsonObject[string] | undefined; readonly asked: AskedQuestions },
): { readonly error?: JsonObject; readonly inputRequests?: JsonObject } {
  if (status === "failed" && isJsonObject(error))
    return { error: inspectError(error, { withholdText: redactFields.length > 0, instead: "the task failed" }) };
  return asksNothing(asked) ? {} : { inputRequests: asRequests(asked) };
}

/** A server's words on a task without what poses as the gateway's; none where they could repeat the fields that are to be removed. */
function withoutWords({ redactFields }: Permit, state: TaskState): TaskState {
  const { statusMessage: words } = state;
  if (words === null) return state;
  return { ...state, statusMessage: redactFields.length === 0 ? removeLookAlikesOfText(words) : null };
}

function unexpected(message: string): CmcpError {
  return new CmcpError("UPSTREAM_PROTOCOL_ERROR", message, { detail: { sent: 1 } });
}
