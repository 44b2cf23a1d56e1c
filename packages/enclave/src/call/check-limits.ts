import { nameOf, type Target } from "@cmcp/catalog";
import type { Hold, LimitedCall, SinkCeilings, WindowLimits } from "@cmcp/limits";
import { LOWEST_LABEL, type Vocabulary } from "@cmcp/session";
import type { DecisionInput, LimitedInput } from "./call.ts";
import { dataLabel } from "./data-label.ts";
import { proceed, refuse, type Ending, type Step } from "./ending.ts";

/** What checking limits needs. */
export interface LimitPorts {
  /** Why the kill switch refuses calls of a principal; `null` if it does not. */
  readonly holdOf: (principal: string) => Hold | null;
  /** Whether the policy in force was signed by a key that is not revoked. */
  readonly isPolicyTrusted: () => boolean;
  readonly windows: Pick<WindowLimits, "find" | "take">;
  /** `null` where the configuration has no ceilings. */
  readonly sinks: Pick<SinkCeilings, "admitsTo" | "admitsResponse"> | null;
  readonly vocabulary: Vocabulary;
}

/** Refuses every call of a principal that the kill switch stopped, and every call while the policy in force is not trusted. */
export function checkKillSwitch(
  { recorded }: DecisionInput,
  { holdOf, isPolicyTrusted }: Pick<LimitPorts, "holdOf" | "isPolicyTrusted">,
): Step<null> {
  if (!isPolicyTrusted()) {
    const message = "the policy in force is signed by a revoked key, so nothing is decided by it";
    return refuse(null, { rule: "policy_signing_key_revoked", code: "POLICY_SIGNING_KEY_REVOKED", message });
  }
  const agent_id = recorded.session.principalId;
  const hold = holdOf(agent_id);
  if (hold === null) return proceed(null);
  if (hold.kind === "uncounted") return uncounted(null, "kill_switch:uncounted");
  const message = "the kill switch has stopped this principal; an operator must let it go on";
  return refuse(null, { rule: "kill_switch", code: "KILL_SWITCH_TRIPPED", message, data: { agent_id } });
}

/**
 * Checks rate limits and budgets, then the ceilings of sinks, in every enforcement mode. Nothing is counted until
 * {@link LimitPorts.windows} takes the call that this returns.
 */
export function checkLimits(call: LimitedInput, target: Target, ports: LimitPorts): Step<LimitedCall> {
  const limited = limitedCall(call, target);
  const over = ports.windows.find(limited);
  if (over?.kind === "uncounted") return uncounted(target, "rate_limit:uncounted");
  if (over?.kind === "reached") {
    const calls = over.of === "calls";
    return refuse(target, {
      rule: `${calls ? "rate_limit" : "budget"}:${over.index}`,
      code: calls ? "RATE_LIMIT_EXCEEDED" : "BUDGET_EXCEEDED",
      message: calls ? "this principal made too many calls in a short time" : "this principal sent too many bytes",
    });
  }
  return checkSinks(call, target, ports) ?? proceed(limited);
}

/**
 * The ceilings are held against all that the call could carry out: what the session saw, what the tool can return,
 * and the declared label.
 */
function checkSinks(
  { recorded: { session }, policyRequest }: DecisionInput,
  target: Target,
  { sinks, vocabulary }: LimitPorts,
): Ending | null {
  if (sinks === null) return null;
  const data = dataLabel(vocabulary, { request: policyRequest }, target, false);
  const labels = [LOWEST_LABEL, ...session.compartments, ...session.maxCompartments, ...data.compartments];
  const sink = sinks.admitsTo(nameOf(target), labels) ? (sinks.admitsResponse(labels) ? null : "response") : "tool";
  if (sink === null) return null;
  const message =
    sink === "tool"
      ? "data of this session's sensitivity may not go there"
      : "data of this sensitivity may not go to callers";
  return refuse(target, { rule: `sink_policy:${sink}_denied`, code: "POLICY_DENY", message });
}

/** A request about a task is part of the call that made the task: only its bytes count. */
function limitedCall({ recorded, requestBytes, isFollowUp }: LimitedInput, target: Target): LimitedCall {
  return {
    principal: recorded.session.principalId,
    tool: nameOf(target),
    calls: isFollowUp ? 0 : 1,
    bytes: requestBytes,
  };
}

function uncounted(target: Target | null, rule: string): Ending {
  const message = "the gateway counts as many principals as it can; try again later";
  return refuse(target, { rule, code: "OVERLOADED", message });
}
