import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { JsonObject } from "@cmcp/boundary";
import { governedMethod, isTaskMethod, type AgentRequest } from "@cmcp/mcp";
import { DEFAULT_WORKFLOW } from "@cmcp/launch";
import type { CompiledPolicy, FlowFacts } from "@cmcp/policy";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { measured } from "./canonical-hash.ts";
import { callThatMadeTask, type Task, type Tasks } from "./tasks.ts";

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

/** A request that is decided to be sent, with what limits count of it. */
export interface LimitedInput extends DecisionInput {
  /** Bytes of the canonical JSON of method and parameters as sent to the server. */
  readonly requestBytes: number;
  /** Whether the request is about a task, and so part of the call that made the task. */
  readonly isFollowUp: boolean;
}

/** One call. It is created on arrival, and every stage reads it. */
export interface Call extends LimitedInput {
  readonly id: string;
  readonly request: AgentRequest;
  readonly task: Task | null;
  /** `sha256:` and hex over the canonical JSON of method and parameters as sent to the server, but with the agent's task id. */
  readonly requestHash: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
}

/** The workflow that policy and record read. It is `default` for cancellations, and for refused calls that should have named one. */
export function workflowOf(request: Pick<AgentRequest, "workflowId">): string {
  return request.workflowId ?? DEFAULT_WORKFLOW;
}

/** What creating a call needs. */
export interface CallPorts {
  readonly tasks: Tasks;
  readonly policy: CompiledPolicy;
  /** The workflow of this caller's requests that name none; `null` if they must name one. */
  readonly unnamedWorkflow: (caller: Caller) => string | null;
}

/** Creates the call of a request that has just arrived. */
export function createCall(
  recorded: RecordedSession,
  caller: Caller,
  arrived: AgentRequest,
  { tasks, policy, unnamedWorkflow }: CallPorts,
): Call {
  const cancels = governedMethod(arrived.method).kind === "cancellation";
  const named = cancels ? withoutWorkflow(arrived) : arrived;
  const task = isTaskMethod(named.method) ? (tasks.find(recorded.session.id, named.name) ?? null) : null;
  const request =
    cancels || task !== null ? named : { ...named, workflowId: named.workflowId ?? unnamedWorkflow(caller) };
  const sent = asSent(request);
  return {
    id: randomUUID(),
    caller,
    recorded,
    request,
    task,
    policyRequest: task === null ? request : callThatMadeTask(task, request),
    policy,
    requestHash: sent.hash,
    requestBytes: sent.bytes,
    isFollowUp: task !== null,
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
  const sent = asSent(request);
  return { ...call, request, requestHash: sent.hash, requestBytes: sent.bytes };
}

/** Hash and length of a request as it is sent. */
function asSent(request: AgentRequest): ReturnType<typeof measured> {
  const { method, name, input } = request;
  const params = governedMethod(method).upstream({ request, taskId: name, input });
  return measured({ method, params });
}
