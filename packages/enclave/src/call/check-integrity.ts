import type { Target } from "@cmcp/catalog";
import type { DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** What the record says of a refusal by {@link checkIntegrity}. */
const RULE = "consequential-untrusted";

/**
 * Checks that a consequential tool is called in a trusted session. Text of a stranger could have asked for the call.
 * @param lifted refusals that approvals lift
 */
export function checkIntegrity(
  { recorded }: DecisionInput,
  target: Target,
  lifted: ReadonlySet<string> = new Set(),
): Step<null> {
  if (target.kind !== "tool" || !target.tool.consequential || recorded.session.mayCallConsequential)
    return proceed(null);
  if (lifted.has(RULE)) return proceed(null);
  return refuse(target, {
    rule: RULE,
    approval: { needed: 1, approvers: null, reason: null },
    code: "SESSION_UNTRUSTED",
    message:
      "this tool needs a trusted session or an approval, and the session has seen text of a server without trust",
    decision: "step_up",
  });
}
