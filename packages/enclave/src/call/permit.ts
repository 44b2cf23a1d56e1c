import type { ErrorCode } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { CallApproval } from "./tasks.ts";

/** The permission for one call. `decideByPolicy` makes it once, and it goes unchanged to the entry and the receipt. */
export interface Permit {
  readonly target: Target;
  /** `advisory_deny`: policy refuses the call, and the enforcement mode lets it through. */
  readonly decision: "allow" | "redact" | "advisory_deny";
  readonly rule: string;
  /** Fields that are removed from the result, and free-text fields that stay; see `projection` in the inspection package. */
  readonly redactFields: readonly string[];
  readonly keepFields: readonly string[];
  /** What was found while deciding, for the entry. */
  readonly detail?: Readonly<Record<string, string | number>>;
  /** What approvals lifted for it, for the task that it may become; absent without approvals. */
  readonly approval?: CallApproval;
  /** With `advisory_deny`: the refusal that an enforcing mode would give. */
  readonly advisory: { readonly decision: "deny" | "step_up" | "defer"; readonly code: ErrorCode } | null;
}
