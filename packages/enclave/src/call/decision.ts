import type { ErrorCode } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";

/**
 * What the gateway decided about one call before anything was sent. It is made once, in `decide.ts`, and
 * carried unchanged to the reply, the audit entry and the receipt.
 */
export type Decision = Permitted | Refused;

/** The call may go out; the named fields are removed from its result. */
export interface Permitted {
  /** `advisory_deny`: policy refuses the call, and the mode lets it through all the same. */
  readonly outcome: "allow" | "redact" | "advisory_deny";
  readonly subject: Target;
  readonly rule: string;
  readonly redactFields: readonly string[];
  /** Of those results, the free text that stays. */
  readonly keepFields: readonly string[];
  /** With `advisory_deny`: what would have been answered if the mode enforced. */
  readonly advisory: { readonly decision: Refused["outcome"]; readonly code: ErrorCode } | null;
  /** Hash of the bundle this was decided under, which need not be the one in force when the call ends. */
  readonly policyHash: string;
}

/** The call does not go out. `step_up` and `defer` are refusals that name what is missing. */
export interface Refused {
  readonly outcome: "deny" | "step_up" | "defer";
  readonly subject: Target | null;
  readonly rule: string;
  readonly code: ErrorCode;
  /** What the caller is told; never names the rule. */
  readonly message: string;
  /** As for {@link Permitted}. */
  readonly policyHash: string;
}

export function isPermitted(decision: Decision): decision is Permitted {
  return decision.outcome === "allow" || decision.outcome === "redact" || decision.outcome === "advisory_deny";
}
