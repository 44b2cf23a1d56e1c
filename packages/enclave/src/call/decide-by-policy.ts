import type { Target } from "@cmcp/catalog";
import type { CompiledPolicy, GovernedFacts, Verdict } from "@cmcp/policy";
import type { LimitedInput } from "./call.ts";
import { proceed, refuse, type Refusal, type Step } from "./ending.ts";
import { policyFacts, type GatewayFacts } from "./policy-facts.ts";
import type { Permit } from "./permit.ts";

/** What decides beside the rules. */
export interface Deciding {
  readonly gateway: GatewayFacts;
  /** Refusals that approvals or an owner's permission lift. */
  readonly lifted: ReadonlySet<string>;
}

/** Asks Cedar. If the enforcement mode lets a refused call through, the permit has the decision `advisory_deny`. */
export function decideByPolicy(call: LimitedInput, target: Target, { gateway, lifted }: Deciding): Step<Permit> {
  const facts = policyFacts(gateway, call, target);
  const verdict = call.policy.decide(facts, call.onCedarRequest);
  const refusal = refusalOf(verdict);
  if (refusal === null) {
    const decision = verdict.decision === "redact" ? "redact" : "allow";
    const { rule, redactFields, keepFields } = verdict;
    return proceed({ target, decision, rule, redactFields, keepFields, advisory: null });
  }
  if (isLifted(verdict, lifted)) return decideLifted(call, target, { facts, rule: verdict.rule });
  const through = modeAllows(gateway, verdict) ? redactionFor(call.policy, facts) : null;
  if (through === null) return refuse(target, refusal);
  const advisory = { decision: refusal.decision ?? "deny", code: refusal.code };
  return proceed({ target, decision: "advisory_deny", rule: refusal.rule, ...through, advisory });
}

/** Whether a refusal is lifted: its rules say by what, and it is the very one that was approved or permitted. */
export function isLifted({ decision, rule, approval, disclosure }: Verdict, lifted: ReadonlySet<string>): boolean {
  const isApprovable = decision === "step_up" && approval !== undefined;
  const isDisclosable = decision === "deny" && disclosure !== undefined;
  return (isApprovable && lifted.has(rule)) || (isDisclosable && lifted.has(disclosed(rule)));
}

/** What a permission lifts: no approval of a rule with the same name does. Rules have no control characters in their names. */
export function disclosed(rule: string): string {
  return `\u0000disclosed ${rule}`;
}

/** Decides a call whose forbids were lifted by its permits alone: what lifts them allows nothing that no rule permits. */
function decideLifted(
  call: LimitedInput,
  target: Target,
  { facts, rule }: { readonly facts: GovernedFacts; readonly rule: string },
): Step<Permit> {
  const verdict = call.policy.decidePermits(facts, call.onCedarRequest);
  const { redactFields, keepFields, decision } = verdict;
  if (decision === "allow" || decision === "redact")
    return proceed({ target, decision, rule, redactFields, keepFields, advisory: null });
  const { approval: _, disclosure: __, ...refusal } = refusalOf(verdict) ?? UNKNOWN_REFUSAL;
  return refuse(target, refusal);
}

const UNKNOWN_REFUSAL: Refusal = {
  rule: "default-deny",
  code: "POLICY_DENY",
  message: "policy does not allow this call",
};

/** Whether the enforcement mode lets through a call that policy refuses. A failed engine has evaluated no rule, so nothing passes. */
export function modeAllows({ enforcementMode }: GatewayFacts, { cause }: Verdict): boolean {
  return enforcementMode !== "enforcing" && cause !== "fault";
}

/**
 * The redaction for a call that policy refuses and the mode lets through; `null` if it cannot be computed, and then
 * the call is refused.
 */
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
export function refusalOf({ decision, rule, cause, approval, disclosure }: Verdict): Refusal | null {
  switch (decision) {
    case "allow":
    case "redact":
      return null;
    case "defer":
      return { rule, code: "POLICY_DENY", message: "policy does not allow this call yet", decision };
    case "step_up":
      return {
        rule,
        code: "POLICY_DENY",
        message: "policy requires an approval for this call, which this gateway cannot obtain",
        decision,
        ...(approval === undefined ? {} : { approval }),
      };
    case "deny":
      return {
        rule,
        ...(cause === "sensitivity"
          ? {
              code: "SESSION_SENSITIVITY_POLICY_DENY",
              message: "policy does not allow this call after the data this session has seen",
            }
          : { code: "POLICY_DENY", message: "policy does not allow this call" }),
        ...(disclosure === undefined ? {} : { disclosure }),
      };
  }
}
