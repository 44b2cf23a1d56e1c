import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { canonicalText, type JsonObject } from "@cmcp/boundary";
import { committedRequest, governedMethod, isTaskMethod, type AgentRequest } from "@cmcp/mcp";
import type { CallKey } from "@cmcp/audit";
import { DEFAULT_WORKFLOW } from "@cmcp/launch";
import type { CedarRequest, FlowFacts } from "@cmcp/policy";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { CallCommitments } from "../record/session-commitments.ts";
import type { SessionRef } from "../servers/server-session.ts";
import type { Rules } from "./rules.ts";
import { callThatMadeTask, type Task, type Tasks } from "./tasks.ts";

/** What policy decides on, and the rules in force when the decision is made. */
export interface DecisionInput extends Rules {
  readonly caller: Caller;
  readonly recorded: RecordedSession;
  /** The request or, where it is about a task, the call that made the task. */
  readonly policyRequest: AgentRequest;
  /** The agent's answer to a question during the call; absent where none is decided. */
  readonly answer?: JsonObject;
  /** Earlier results that stand in what is sent; absent where no rule reads them. */
  readonly flows?: FlowFacts;
  /** Called with each request to Cedar, before its answer is used; absent for what is not recorded. */
  readonly onCedarRequest?: (request: CedarRequest) => void;
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
  /** Its idempotency key, as the record names it; `null` for a call without one. */
  readonly keyed: CallKey | null;
  /** Commitments to what the call sends and gets. */
  readonly commitments: CallCommitments;
  /** Commitment to the canonical JSON of method and parameters as sent to the server, but with the agent's task id. */
  readonly requestHash: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
}

/** The workflow that policy and record read. It is `default` for cancellations, and for refused calls that should have named one. */
export function workflowOf(request: Pick<AgentRequest, "workflowId">): string {
  return request.workflowId ?? DEFAULT_WORKFLOW;
}

/** The session that a call's server is asked in, and who its caller is. */
export function sessionOf({ recorded: { session }, caller }: Pick<Call, "recorded" | "caller">): SessionRef {
  return { id: session.id, principalId: session.principalId, identity: caller.jwtIdentity };
}

/** What creating a call needs. */
export interface CallPorts {
  readonly tasks: Tasks;
  readonly rules: Rules;
  /** The workflow of this caller's requests that name none; `null` if they must name one. */
  readonly unnamedWorkflow: (caller: Caller) => string | null;
  /** The call's key; absent for a call without one. */
  readonly keyed?: CallKey | null;
}

/** Creates the call of a request that has just arrived. */
export function createCall(
  recorded: RecordedSession,
  caller: Caller,
  arrived: AgentRequest,
  { tasks, rules, unnamedWorkflow, keyed = null }: CallPorts,
): Call {
  const cancels = governedMethod(arrived.method).kind === "cancellation";
  const named = cancels ? withoutWorkflow(arrived) : arrived;
  const task = isTaskMethod(named.method) ? (tasks.find(recorded.session.id, named.name) ?? null) : null;
  const request =
    cancels || task !== null ? named : { ...named, workflowId: named.workflowId ?? unnamedWorkflow(caller) };
  const id = randomUUID();
  const commitments = recorded.commitments.ofCall(id);
  const sent = asSent(request, commitments);
  return {
    id,
    caller,
    recorded,
    request,
    task,
    keyed,
    policyRequest: task === null ? request : callThatMadeTask(task, request),
    policy: rules.policy,
    catalog: rules.catalog,
    commitments,
    onCedarRequest: (asked) => commitments.cedar.add(asked),
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
  const sent = asSent(request, call.commitments);
  return { ...call, request, requestHash: sent.hash, requestBytes: sent.bytes };
}

/** Commitment to a request as it is sent, and its length in UTF-8 bytes. */
function asSent(
  request: AgentRequest,
  commitments: CallCommitments,
): { readonly hash: string; readonly bytes: number } {
  const text = canonicalText(committedRequest(request));
  return { hash: commitments.toRequest(text), bytes: Buffer.byteLength(text) };
}
