import type { EnforcementMode } from "@cmcp/appraise";
import { rootDetailSchema, type AuditEntry } from "@cmcp/audit/schema";
import { parseFirmwareText, type Claim } from "@cmcp/claim/schema";
import type { CoveredSession } from "./covered.ts";
import type { SessionFacts } from "./session-facts.ts";
import type { StoredSets } from "./stored-sets.ts";

/** Whether an instance knew all that earlier ones recorded. `unknown`: nothing that is signed says so. */
export type History = "complete" | "incomplete" | "unknown";

/** Under which conditions a session ran, by what signatures cover. `null`: no such signature was given. */
export interface Conditions {
  readonly mode: EnforcementMode | null;
  readonly isolation: "none" | "network-namespace" | null;
  readonly channel: "plain" | "sealed" | null;
  /** The keys that requests could be sealed to, first those of the session's start: SHA-256 of each list, base64url. */
  readonly sealKeys: readonly string[];
  readonly history: History;
  /** Who gave tokens and credentials: a provisioning key's holder, or the host. */
  readonly provisioning: "signed" | "unsigned" | null;
  /** Whether the log has what was provisioned under a storage key, which whoever provisioned knows. */
  readonly storage: StoredSets["storage"];
  /** Sets that a storage key brought back: the provisioning that gave each, SHA-256 of its record's body. */
  readonly restoredFrom: readonly string[];
  /** Calls and questions that policy refused and the mode let through. */
  readonly advisoryDenials: number | null;
}

/** Nothing is known. */
export const NO_CONDITIONS: Conditions = {
  mode: null,
  isolation: null,
  channel: null,
  sealKeys: [],
  history: "unknown",
  provisioning: null,
  storage: null,
  restoredFrom: [],
  advisoryDenials: null,
};

const MODES = { enforce: "enforcing", advisory: "advisory", silent: "silent" } as const;

/** The mode a claim names, as configurations write it. */
export function modeOfClaim({ trace }: Claim): EnforcementMode {
  return MODES[trace.policy.enforcement_mode];
}

/** What entries say of their own session. It is proven only where a verified signature covers the entries. */
export function conditionsOf({ root: first, sealKeys, advisoryDenials, storedSets }: SessionFacts): Conditions {
  const root = rootDetailSchema.safeParse(first?.detail).data;
  return {
    mode: root?.enforcement_mode ?? null,
    isolation: root?.isolation ?? null,
    channel: root?.channel ?? null,
    sealKeys,
    history: historyOf(first),
    provisioning: provisioningOf(first),
    storage: storedSets.storage,
    restoredFrom: [...new Set(storedSets.restored.map(({ from }) => from))],
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

/** `detail.provisioning` of the root entry. It stays what it is for the life of an instance. */
function provisioningOf(root: AuditEntry | undefined): Conditions["provisioning"] {
  const provisioning = root?.detail?.["provisioning"];
  return provisioning === "signed" || provisioning === "unsigned" ? provisioning : null;
}
