import type { ClaimContext } from "../claim/context.ts";
import { conditionsOfClaim } from "./conditions.ts";
import type { CoveredSession } from "./covered.ts";
import { checkStorage } from "./check-stored-sets.ts";
import { checkChannel, checkEnforced, checkHistory, checkMode, checkProvisioning } from "./terms.ts";

/** What a relying party asks of the session itself, by option or by appraisal policy. */
export function checkClaimTerms({ claim, expected, list }: ClaimContext, entries: CoveredSession | null): void {
  const { session } = expected.appraisal;
  const conditions = conditionsOfClaim(claim, entries);
  const transcribed = claim.trace.tool_transcript.entries.filter(({ decision }) => decision === "advisory_deny");
  checkMode(conditions, [...session.enforcement_modes, ...(expected.allowModes ?? [])], list);
  checkEnforced({ ...conditions, advisoryDenials: conditions.advisoryDenials ?? transcribed.length }, list);
  const completeHistory = session.history === "complete" || expected.completeHistory === true;
  checkHistory(conditions, { completeHistory }, list);
  checkChannel(conditions, expected, list);
  checkProvisioning(conditions, expected, list);
  if (entries !== null) checkStorage(entries.storedSets, list);
}
