import type { ErrorCode } from "@cmcp/boundary";

/** What became of one check. `not-performed` names a check that could have been made with more input. */
export type CheckStatus = "passed" | "failed" | "not-applicable" | "not-performed";

/** One check of a verification. */
export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  /** Set when the check failed. */
  readonly code?: ErrorCode;
  readonly why: string;
}

/** `accepted` needs every required check; `unsupported` means this version cannot judge. */
export type Outcome = "accepted" | "rejected" | "unsupported" | "malformed";

/** What a record covers: a whole session, a session that was still open, or one that a crash interrupted. */
export type Completeness = "closed session" | "open prefix" | "incomplete" | "unknown";

/** The result of a verification. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly completeness: Completeness;
  /** What the platform's evidence is worth: `functional only` for software. */
  readonly assurance: "functional only" | "none established";
  readonly session: string | null;
  /** Base64url of the signing key, once its signature verified. */
  readonly signingKey: string | null;
  readonly checks: readonly Check[];
}

/** Exit code of a command that verified. */
export const OUTCOME_EXIT = { accepted: 0, rejected: 10, unsupported: 20, malformed: 30 } as const satisfies Record<Outcome, number>;
