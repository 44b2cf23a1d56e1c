import type { ErrorCode } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";

/** Policy's leave for one call. It is made once, in `decideByPolicy`, and carried unchanged to the entry and the receipt. */
export interface Permit {
  readonly target: Target;
  /** `advisory_deny`: policy refuses the call, and the enforcement mode lets it through all the same. */
  readonly decision: "allow" | "redact" | "advisory_deny";
  readonly rule: string;
  /** Fields that a result is delivered without, and free texts it may keep; see `projection` of the inspection package. */
  readonly redactFields: readonly string[];
  readonly keepFields: readonly string[];
  /** With `advisory_deny`: what would be answered if the mode enforced. */
  readonly advisory: { readonly decision: "deny" | "step_up" | "defer"; readonly code: ErrorCode } | null;
}
