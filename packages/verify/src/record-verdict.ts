import type { Checklist } from "./checklist.ts";
import type { RecordExpectations } from "./expectations.ts";
import { conditionsOf, NO_CONDITIONS } from "./session/conditions.ts";
import { completenessOf, type CoveredSession } from "./session/covered.ts";
import type { Verdict } from "./verdict.ts";

/**
 * The verdict on a record without a claim. Only a pinned key says whose it is.
 * @param signingKey base64url of the key that the covered entries are signed with, where that is known
 */
export function recordVerdict(
  list: Checklist,
  covered: CoveredSession | null,
  { trustedKey }: RecordExpectations,
  signingKey: string | undefined,
): Verdict {
  const outcome = list.outcome();
  const accepted = outcome === "accepted" ? covered : null;
  return {
    outcome,
    completeness: completenessOf(covered),
    coveredEntries: covered?.length ?? null,
    conditions: accepted === null ? NO_CONDITIONS : conditionsOf(accepted),
    assurance: accepted === null ? "none established" : "functional only",
    origin: accepted === null || trustedKey === undefined ? "not proven" : "trusted key",
    session: covered?.root?.session_id ?? null,
    signingKey: covered === null ? null : (signingKey ?? null),
    checks: list.checks,
  };
}
