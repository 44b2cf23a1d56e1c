import type { Target } from "@cmcp/catalog";
import type { Caller } from "../access/caller.ts";
import { workflowOf, type DecidedCall } from "./call.ts";
import { next, refused, type Step } from "./ending.ts";

/** What says which workflows and labels there are. */
export interface WorkflowTerms {
  readonly mayUse: (caller: Caller, workflow: string) => boolean;
  readonly isLabel: (label: string) => boolean;
}

/** Holds the workflow and the data class that a caller names to what the configuration gives its principal. */
export function checkWorkflow({ caller, decided }: DecidedCall, target: Target, terms: WorkflowTerms): Step<null> {
  if (!terms.mayUse(caller, workflowOf(decided))) {
    const message = "this principal may not use that workflow";
    return refused(target, { rule: "workflow-not-allowed", code: "WORKFLOW_NOT_ALLOWED", message });
  }
  if (decided.dataClass !== null && !terms.isLabel(decided.dataClass)) {
    const message = "the declared data class is not a known sensitivity label";
    return refused(target, { rule: "unknown-data-class", code: "MCP_INVALID_REQUEST", message });
  }
  return next(null);
}
