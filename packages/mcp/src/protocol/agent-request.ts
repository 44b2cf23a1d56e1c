import type { RequestId } from "../jsonrpc/message.ts";
import type { GovernedMethod } from "./methods.ts";
import type { InputResponses, RequestContent } from "./request.ts";

/** One governed request, rebuilt from the closed shape of its method. Nothing else of what the agent sent goes on. */
export interface AgentRequest extends RequestContent {
  readonly method: GovernedMethod;
  /** From `params._cmcp.workflow_id` or `X-MCP-Workflow-ID`: a wish, to be held against the principal's set. */
  readonly workflowId: string | null;
  readonly dataClass: string | null;
  readonly requestId: RequestId;
}

/** A request of this method about this target that says nothing more: no arguments, no workflow, no task. */
export function plainRequest(method: GovernedMethod, name: string): AgentRequest {
  return {
    method,
    name,
    arguments: {},
    completion: null,
    trace: null,
    idempotencyKey: null,
    workflowId: null,
    dataClass: null,
    requestId: 0,
    input: null,
    task: null,
  };
}

/** A governed request on its way to its server. */
export interface SentRequest {
  readonly request: AgentRequest;
  /** What the server calls the task that the request is about; `null` leaves the agent's id. */
  readonly taskId: string | null;
  /** What goes to the server of the agent's input. */
  readonly input: InputResponses | null;
}
