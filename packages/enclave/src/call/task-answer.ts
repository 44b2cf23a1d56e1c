import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { inspectError, removeLookAlikesOfText, type Asked } from "@cmcp/inspection";
import { readTask, relatedTo, type AgentRequest, type Reply, type TaskOutcome, type UpstreamAnswer } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Permitted } from "./decision.ts";
import type { GovernedPeer } from "./governed-peer.ts";
import { settle, type Settled } from "./settle.ts";
import type { Task, TaskPlace } from "./tasks.ts";

/** Tasks are made of tool calls, whose results are inspected by the tool. */
const OF_A_TOOL: Asked = { method: "resources/read", uri: "" };

/** What became of a request that makes a task or is about one. */
export interface TaskAnswer {
  /** What inspection made of the result, where there is one. */
  readonly settled: Settled | null;
  readonly reply: Extract<Reply, { ok: "task" | true }>;
  readonly outcome: string;
}

/** What the answer is about. */
export interface TaskRequest {
  readonly request: AgentRequest;
  readonly decision: Permitted;
  readonly task: Task | null;
  readonly place: TaskPlace | null;
  readonly peer: GovernedPeer;
}

/**
 * Makes of a server's answer what the agent is told: ids are the gateway's, results are inspected as those of the call,
 * questions are let through as those of the call; `null` when the answer is a plain call's.
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`, `POLICY_DENY` for questions that policy does not let the server ask
 */
export function answerTask(
  core: Core,
  recorded: RecordedSession,
  about: TaskRequest,
  answer: Exclude<UpstreamAnswer, { kind: "input_required" }>,
): TaskAnswer | null {
  const { request, decision, task, place, peer } = about;
  if (task === null) {
    if (answer.kind === "complete" && request.task === null) return null;
    if (place === null)
      throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the tool server made a task of what was not to become one", {
        detail: { sent: 1 },
      });
    const made = place.take(readTask(answer.kind === "task" ? answer.task : answer.result.task));
    return {
      settled: null,
      outcome: "task_created",
      reply: { ok: "task", task: withoutWords(decision, made.state), outcome: {} },
    };
  }
  if (answer.kind === "task")
    throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the tool server answered a request about a task with a task", {
      detail: { sent: 1 },
    });
  const { result } = answer;
  switch (request.method) {
    case "tasks/result": {
      const settled = settle(core, decision, OF_A_TOOL, result);
      return { settled, outcome: "delivered", reply: { ok: true, result: relatedTo(settled.result ?? {}, task.id) } };
    }
    case "tasks/update":
      return { settled: null, outcome: "delivered", reply: { ok: true, result: {} } };
    case "tasks/cancel": {
      // The modern era only acknowledges: what becomes of the task is seen later.
      const state =
        result.taskId === undefined ? task.state : core.tasks.update(recorded.session.id, task, ofTask(task, result));
      return {
        settled: null,
        outcome: "cancel_requested",
        reply: { ok: "task", task: { ...state, statusMessage: null }, outcome: {} },
      };
    }
    case "tasks/get": {
      const said = ofTask(task, result);
      const { settled, outcome, asks } = ended(core, decision, peer, result);
      const state = core.tasks.update(recorded.session.id, task, said, asks);
      return { settled, outcome: state.status, reply: { ok: "task", task: withoutWords(decision, state), outcome } };
    }
    case "tools/call":
    case "prompts/get":
    case "completion/complete":
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      throw new CmcpError("INTERNAL", "a request that names no task was answered as one about a task");
  }
}

/** A task's state, of the very task that was asked about. */
function ofTask({ upstreamId }: Task, result: JsonObject): ReturnType<typeof readTask> {
  const state = readTask(result);
  if (state.taskId !== upstreamId)
    throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", "the tool server answered for another task", {
      detail: { sent: 1 },
    });
  return state;
}

/** A server's words on a task without what poses as the gateway's; none where they could repeat the fields that are to be removed. */
function withoutWords<T extends { readonly statusMessage: string | null }>({ redactFields }: Permitted, state: T): T {
  const { statusMessage: words } = state;
  return words === null
    ? state
    : { ...state, statusMessage: redactFields.length === 0 ? removeLookAlikesOfText(words) : null };
}

/** How a task of the modern era ended, or what it needs. */
function ended(
  core: Core,
  decision: Permitted,
  peer: GovernedPeer,
  { status, result, error, inputRequests }: JsonObject,
): { readonly settled: Settled | null; readonly outcome: TaskOutcome; readonly asks?: readonly string[] } {
  if (status === "completed" && isJsonObject(result)) {
    const settled = settle(core, decision, OF_A_TOOL, result);
    return { settled, outcome: { result: relatedTo(settled.result ?? {}, null) } };
  }
  if (status === "failed" && isJsonObject(error))
    return {
      settled: null,
      outcome: {
        error: inspectError(error, { withholdText: decision.redactFields.length > 0, instead: "the task failed" }),
      },
    };
  if (status === "input_required" && isJsonObject(inputRequests)) {
    const { told, methods } = peer.permit(inputRequests);
    return { settled: null, outcome: { inputRequests: told }, asks: methods };
  }
  return { settled: null, outcome: {} };
}
