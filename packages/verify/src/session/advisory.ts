import type { AuditEntry } from "@cmcp/audit/schema";

/** Refusals by policy that the mode let through, of one entry: a call, also one that then failed, and questions to agents. */
export function advisoryDenialsIn({ policy_decision: decision, detail }: AuditEntry): number {
  const call = decision === "advisory_deny" || detail?.["advisory_decision"] !== undefined ? 1 : 0;
  return call + questionsLetThrough(detail?.["questions_advisory_deny"]);
}

/** A value that is no count still says that there was one. */
function questionsLetThrough(value: unknown): number {
  if (value === undefined) return 0;
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 1;
}
