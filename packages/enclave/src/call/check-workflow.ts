import type { Target } from "@cmcp/catalog";
import type { Caller } from "../access/caller.ts";
import type { DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** What checking a workflow needs. */
export interface WorkflowPorts {
  readonly mayUse: (caller: Caller, workflow: string) => boolean;
  readonly isLabel: (label: string) => boolean;
}

/**
 * Checks that the request has a workflow, that the caller may use it, and that the declared data class is a known sensitivity label.
 * A request has no workflow if it names none and its caller has several without `default`.
 */
export function checkWorkflow(
  { caller, policyRequest }: DecisionInput,
  target: Target,
  ports: WorkflowPorts,
): Step<null> {
  if (policyRequest.workflowId === null) {
    const message = "this caller has several workflows, so the request must name one of them";
    return refuse(target, { rule: "workflow-required", code: "WORKFLOW_REQUIRED", message });
  }
  if (!ports.mayUse(caller, policyRequest.workflowId)) {
    const message = "this principal may not use that workflow";
    return refuse(target, { rule: "workflow-not-allowed", code: "WORKFLOW_NOT_ALLOWED", message });
  }
  if (policyRequest.dataClass !== null && !ports.isLabel(policyRequest.dataClass)) {
    const message = "the declared data class is not a known sensitivity label";
    return refuse(target, { rule: "unknown-data-class", code: "MCP_INVALID_REQUEST", message });
  }
  return proceed(null);
}
