import type { Target } from "@cmcp/catalog";
import type { CompiledPolicy, GovernedFacts, Verdict } from "@cmcp/policy";
import type { LimitedInput } from "./call.ts";
import { proceed, refuse, type Refusal, type Step } from "./ending.ts";
import { policyFacts, type GatewayFacts } from "./policy-facts.ts";
import type { Permit } from "./permit.ts";

/** Asks Cedar. If the enforcement mode lets a refused call through, the permit has the decision `advisory_deny`. */
export function decideByPolicy(call: LimitedInput, target: Target, gateway: GatewayFacts): Step<Permit> {
  const facts = policyFacts(gateway, call, target);
  const verdict = call.policy.decide(facts);
  const refusal = refusalOf(verdict);
  if (refusal === null) {
    const decision = verdict.decision === "redact" ? "redact" : "allow";
    const { rule, redactFields, keepFields } = verdict;
    return proceed({ target, decision, rule, redactFields, keepFields, advisory: null });
  }
  const through = modeAllows(gateway, verdict) ? redactionFor(call.policy, facts) : null;
  if (through === null) return refuse(target, refusal);
  const advisory = { decision: refusal.decision ?? "deny", code: refusal.code };
  return proceed({ target, decision: "advisory_deny", rule: refusal.rule, ...through, advisory });
}

/** Whether the enforcement mode lets through a call that policy refuses. A failed engine has evaluated no rule, so nothing passes. */
export function modeAllows({ enforcementMode }: GatewayFacts, { cause }: Verdict): boolean {
  return enforcementMode !== "enforcing" && cause !== "fault";
}

/** The redaction for a call that policy refuses and the mode lets through; `null` if it cannot be computed, and then the call is refused. */
export function redactionFor(
  policy: CompiledPolicy,
  facts: GovernedFacts,
): Pick<Permit, "redactFields" | "keepFields"> | null {
  try {
    return policy.redactionOf(facts);
  } catch {
    return null;
  }
}

/** Why policy refuses a request; `null` if it allows it. */
export function refusalOf({ decision, rule, cause }: Verdict): Refusal | null {
  switch (decision) {
    case "allow":
    case "redact":
      return null;
    case "step_up":
    case "defer":
      return {
        rule,
        code: "POLICY_DENY",
        message: "policy requires an approval for this call, which this gateway cannot obtain",
        decision,
      };
    case "deny":
      return cause === "sensitivity"
        ? {
            rule,
            code: "SESSION_SENSITIVITY_POLICY_DENY",
            message: "policy does not allow this call after the data this session has seen",
          }
        : { rule, code: "POLICY_DENY", message: "policy does not allow this call" };
  }
}
