import type { ApprovalTerms } from "@cmcp/policy";

/** What lifts a refusal, in the words that approvers see: how many approvals, of whom, and what they are told. */
export function approvalLines({ needed, approvers, reason }: ApprovalTerms): readonly string[] {
  const whose = approvers === null ? "those in enclave.approvers" : approvers.join(", ");
  return [`approvals: ${needed} of ${whose}`, ...(reason === null ? [] : [`approvers are told: ${reason}`])];
}
