import type { AuditEntry } from "@cmcp/audit/schema";

/** Refusals by policy that the mode let through: calls, also those that then failed, and questions to agents. */
export function advisoryDenials(entries: readonly AuditEntry[]): number {
  let count = 0;
  for (const { policy_decision: decision, detail } of entries) {
    if (decision === "advisory_deny" || detail?.["advisory_decision"] !== undefined) count += 1;
    count += questionsLetThrough(detail?.["questions_advisory_deny"]);
  }
  return count;
}

/** A value that is no count still says that there was one. */
function questionsLetThrough(value: unknown): number {
  if (value === undefined) return 0;
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 1;
}
