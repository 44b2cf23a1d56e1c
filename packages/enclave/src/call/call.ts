import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { JsonObject } from "@cmcp/boundary";
import { governedMethod, isTaskMethod, type AgentRequest } from "@cmcp/mcp";
import type { CompiledPolicy, FlowFacts } from "@cmcp/policy";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { canonicalHash } from "./canonical-hash.ts";
import { callThatMadeTask, type Task, type Tasks } from "./tasks.ts";

const DEFAULT_WORKFLOW = "default";

/** What policy decides on. */
export interface DecisionInput {
  readonly caller: Caller;
  readonly recorded: RecordedSession;
  /** The request or, where it is about a task, the call that made the task. */
  readonly policyRequest: AgentRequest;
  /** The policy in force when the decision is made. */
  readonly policy: CompiledPolicy;
  /** The agent's answer to a question during the call; absent where none is decided. */
  readonly answer?: JsonObject;
  /** Earlier results that stand in what is sent; absent where no rule reads them. */
  readonly flows?: FlowFacts;
}

/** One call. It is created on arrival, and every stage reads it. */
export interface Call extends DecisionInput {
  readonly id: string;
  readonly request: AgentRequest;
  readonly task: Task | null;
  /** `sha256:` and hex over the canonical JSON of method and parameters as sent to the server, but with the agent's task id. */
  readonly requestHash: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
}

/** The workflow of a request: the one that the caller names, or `default`. */
export function workflowOf(request: Pick<AgentRequest, "workflowId">): string {
  return request.workflowId ?? DEFAULT_WORKFLOW;
}

/** Creates the call of a request that has just arrived. */
export function createCall(
  recorded: RecordedSession,
  caller: Caller,
  arrived: AgentRequest,
  { tasks, policy }: { readonly tasks: Tasks; readonly policy: CompiledPolicy },
): Call {
  const request = governedMethod(arrived.method).kind === "cancellation" ? withoutWorkflow(arrived) : arrived;
  const task = isTaskMethod(request.method) ? (tasks.find(recorded.session.id, request.name) ?? null) : null;
  return {
    id: randomUUID(),
    caller,
    recorded,
    request,
    task,
    policyRequest: task === null ? request : callThatMadeTask(task, request),
    policy,
    requestHash: requestHash(request),
    startedAt: performance.now(),
  };
}

/** A cancellation is always allowed, so its workflow and data class are never checked. It therefore carries neither. */
function withoutWorkflow(request: AgentRequest): AgentRequest {
  return { ...request, workflowId: null, dataClass: null };
}

/** The call with rebuilt answers in place of the agent's, which may have more members. */
export function withAnswers(call: Call, responses: NonNullable<AgentRequest["input"]>["responses"]): Call {
  if (call.request.input === null) return call;
  const request = { ...call.request, input: { ...call.request.input, responses } };
  return { ...call, request, requestHash: requestHash(request) };
}

function requestHash(request: AgentRequest): string {
  const { method, name, input } = request;
  const params = governedMethod(method).upstream({ request, taskId: name, input });
  return canonicalHash({ method, params });
}
