import type { Assurance, Check } from "@cmcp/appraise";
import type { SignedLostStore } from "@cmcp/audit/schema";
import type { ApprovedCall } from "./approved-call.ts";
import type { PermittedDisclosure } from "./permitted-disclosure.ts";
import type { Witnessing } from "./log/witnessing.ts";
import type { Conditions } from "./session/conditions.ts";

export type { Check, CheckStatus } from "@cmcp/appraise";

/** `accepted` needs every required check; `unsupported` means this version cannot judge. */
export type Outcome = "accepted" | "rejected" | "unsupported" | "malformed";

/**
 * How much of a session signatures cover: all of it, or its beginning. `unknown`: no entry is covered by a signature
 * that verified.
 */
export type Completeness = "closed session" | "open prefix" | "unknown";

/**
 * What shows who made an accepted record. `trusted key`: it is signed with the key that was pinned. `platform
 * evidence`: with a key that a platform's evidence carries, which is worth what the assurance says. `not proven`:
 * nothing, anybody could have made it; and so it is of whatever is not accepted.
 */
export type Origin = "trusted key" | "platform evidence" | "not proven";

/** The log that a record was found in. */
export interface LogStanding {
  /** Name of the log. */
  readonly origin: string;
  /** Records that its checkpoint is of. */
  readonly size: number;
  /** Root hash, base64. */
  readonly root: string;
  readonly witnessing: Witnessing;
  /** The operator's statement that opened the log's epoch; `null` for the first one. */
  readonly lostStore: SignedLostStore | null;
}

/** Who a session's agent was. */
export interface AgentStanding {
  /** SPIFFE ID. */
  readonly agentId: string;
  readonly manifestId: string;
  /** `sha256:` and hex, of the manifest, as the root entry has it; `null` where no covered root entry was given. */
  readonly thumbprint: string | null;
  /** The manifest was given, and is the one that the claim was made under. */
  readonly manifestVerified: boolean;
}

/** The result of a verification. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly completeness: Completeness;
  /** Entries that a verified signature covers, from the first on; `null` where none were given. */
  readonly coveredEntries: number | null;
  /** Under which conditions the session of an accepted record ran. */
  readonly conditions: Conditions;
  /** What the platform's evidence is worth: `functional only` for software. */
  readonly assurance: "functional only" | "none established" | Exclude<Assurance, "none">;
  readonly origin: Origin;
  readonly session: string | null;
  /** Base64url of the signing key, once its signature verified. */
  readonly signingKey: string | null;
  /** Who the agent was, if the claim is signed and names one. */
  readonly agent?: AgentStanding;
  /** The log that it was held to, if one was given. Its witnessing counts only for an accepted record. */
  readonly log?: LogStanding;
  /** Calls of an accepted record that approvals let through, and who gave them; absent where there are none. At most 1000. */
  readonly approvals?: readonly ApprovedCall[];
  /** Calls of an accepted record that owners' permissions let through; absent where there are none. At most 1000. */
  readonly disclosures?: readonly PermittedDisclosure[];
  readonly checks: readonly Check[];
}

/** Exit code of a command that verified. */
export const OUTCOME_EXIT = { accepted: 0, rejected: 10, unsupported: 20, malformed: 30 } as const satisfies Record<
  Outcome,
  number
>;
