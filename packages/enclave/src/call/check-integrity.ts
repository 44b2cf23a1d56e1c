import type { Target } from "@cmcp/catalog";
import type { DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** Checks that a consequential tool is called in a trusted session. Text of a stranger could have asked for the call. */
export function checkIntegrity({ recorded }: DecisionInput, target: Target): Step<null> {
  if (target.kind !== "tool" || !target.tool.consequential || recorded.session.mayCallConsequential)
    return proceed(null);
  return refuse(target, {
    rule: "consequential-untrusted",
    code: "SESSION_UNTRUSTED",
    message:
      "this tool needs a trusted session or an approval, and the session has seen text of a server without trust",
    decision: "step_up",
  });
}
