import type { EnforcementMode } from "@cmcp/appraise";
import { rootDetailSchema, type AuditEntry } from "@cmcp/audit/schema";
import { parseFirmwareText, type Claim } from "@cmcp/claim/schema";
import type { CoveredSession } from "./covered.ts";
import type { SessionFacts } from "./session-facts.ts";

/** Whether an instance knew all that earlier ones recorded. `unknown`: nothing that is signed says so. */
export type History = "complete" | "incomplete" | "unknown";

/** Under which conditions a session ran, by what signatures cover. `null`: no such signature was given. */
export interface Conditions {
  readonly mode: EnforcementMode | null;
  readonly isolation: "none" | "network-namespace" | null;
  readonly channel: "plain" | "sealed" | null;
  readonly history: History;
  /** Calls and questions that policy refused and the mode let through. */
  readonly advisoryDenials: number | null;
}

/** Nothing is known. */
export const NO_CONDITIONS: Conditions = {
  mode: null,
  isolation: null,
  channel: null,
  history: "unknown",
  advisoryDenials: null,
};

const MODES = { enforce: "enforcing", advisory: "advisory", silent: "silent" } as const;

/** The mode a claim names, as configurations write it. */
export function modeOfClaim({ trace }: Claim): EnforcementMode {
  return MODES[trace.policy.enforcement_mode];
}

/** What entries say of their own session. It is proven only where a verified signature covers the entries. */
export function conditionsOf({ root: first, advisoryDenials }: SessionFacts): Conditions {
  const root = rootDetailSchema.safeParse(first?.detail).data;
  return {
    mode: root?.enforcement_mode ?? null,
    isolation: root?.isolation ?? null,
    channel: root?.channel ?? null,
    history: historyOf(first),
    advisoryDenials,
  };
}

/** What a claim whose signature verified says of its session, with what its entries add. */
export function conditionsOfClaim(claim: Claim, session: CoveredSession | null): Conditions {
  const known = session === null ? NO_CONDITIONS : conditionsOf(session);
  const firmware = parseFirmwareText(claim.trace.runtime.firmware_version);
  return {
    ...known,
    mode: modeOfClaim(claim),
    isolation: firmware?.isolation ?? known.isolation,
    channel: firmware?.channel ?? known.channel,
  };
}

/** `detail.history` of the root entry. Any other value than the two known ones says nothing. */
function historyOf(root: AuditEntry | undefined): History {
  const history = root?.detail?.["history"];
  return history === "complete" || history === "incomplete" ? history : "unknown";
}
