import type { Target } from "@cmcp/catalog";
import type { Caller } from "../access/caller.ts";
import { workflowOf, type DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** What checking a workflow needs. */
export interface WorkflowPorts {
  readonly mayUse: (caller: Caller, workflow: string) => boolean;
  readonly isLabel: (label: string) => boolean;
}

/** Checks that the principal may use the workflow, and that the declared data class is a known sensitivity label. */
export function checkWorkflow(
  { caller, policyRequest }: DecisionInput,
  target: Target,
  ports: WorkflowPorts,
): Step<null> {
  if (!ports.mayUse(caller, workflowOf(policyRequest))) {
    const message = "this principal may not use that workflow";
    return refuse(target, { rule: "workflow-not-allowed", code: "WORKFLOW_NOT_ALLOWED", message });
  }
  if (policyRequest.dataClass !== null && !ports.isLabel(policyRequest.dataClass)) {
    const message = "the declared data class is not a known sensitivity label";
    return refuse(target, { rule: "unknown-data-class", code: "MCP_INVALID_REQUEST", message });
  }
  return proceed(null);
}
