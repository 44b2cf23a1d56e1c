import { approvedOf, isCallable, type Catalog, type Target } from "@cmcp/catalog";
import type { Flows } from "@cmcp/flows";
import { LIMIT_REFUSALS } from "../record/principal-stops.ts";
import { checkArguments } from "./check-arguments.ts";
import { checkIntegrity } from "./check-integrity.ts";
import { checkKillSwitch, checkLimits, type LimitPorts } from "./check-limits.ts";
import { checkWorkflow, type WorkflowPorts } from "./check-workflow.ts";
import { decideByPolicy, modeAllows, redactionFor, refusalOf } from "./decide-by-policy.ts";
import type { DeliveryFacts } from "@cmcp/policy";
import type { DecisionInput, LimitedInput } from "./call.ts";
import { proceed, type Refusal, type Step } from "./ending.ts";
import { findFlows, flowDetail, flowFacts } from "./find-flows.ts";
import {
  deliveryFacts,
  historyCall,
  listingFacts,
  questionFacts,
  type GatewayFacts,
  type Question,
} from "./policy-facts.ts";
import type { Permit } from "./permit.ts";
import { resolveTarget } from "./resolve-target.ts";

/** The decision on a question. Under an enforcement mode that does not enforce, a refused question can still be allowed. */
export interface QuestionDecision {
  readonly allowed: boolean;
  readonly refusal: Refusal | null;
}

function withFlows<T extends DecisionInput>(call: T, found: Flows | null): T {
  return found === null ? call : { ...call, flows: flowFacts(found) };
}

/** The decision on a result or message that the agent is to get. */
export interface DeliveryDecision {
  readonly delivers: boolean;
  readonly rule: string;
  /** Fields to take out before it is delivered, and free-text fields that stay. */
  readonly redactFields: readonly string[];
  readonly keepFields: readonly string[];
  /** Policy's decision, where it refuses and the enforcement mode lets it through; else `null`. */
  readonly advisory: string | null;
}

/** Whether a target is listed. `checkedArguments`: whether the engine was asked if any arguments would be allowed, which takes milliseconds. */
export interface Listing {
  readonly listed: boolean;
  readonly checkedArguments: boolean;
}

/** What deciding needs. */
export interface DeciderPorts {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly gateway: GatewayFacts;
  readonly workflows: WorkflowPorts;
  readonly limits: LimitPorts;
}

/** Stages 1 to 8 of a call. They are synchronous, so nothing changes between them. */
export class Decider {
  readonly #ports: DeciderPorts;

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  /**
   * Decides one request: checks the kill switch, finds the target, checks workflow, arguments, integrity and limits,
   * asks policy. A permitted request is counted at once, so that no two requests share what is left of a limit.
   */
  decide(call: LimitedInput): Step<Permit> {
    const stopped = checkKillSwitch(call, this.#ports.limits);
    if (stopped.kind === "ending") return stopped;
    const step = this.#decideRunning(call);
    this.#count(call, step);
    return step;
  }

  /** Decides a request of a principal that the kill switch has not stopped. */
  #decideRunning(call: LimitedInput): Step<Permit> {
    const { catalog, workflows, gateway, limits } = this.#ports;
    const target = resolveTarget(call.policyRequest, catalog);
    if (target.kind === "ending") return target;
    const workflow = checkWorkflow(call, target.value, workflows);
    if (workflow.kind === "ending") return workflow;
    const fit = checkArguments(call, target.value);
    if (fit.kind === "ending") return fit;
    const integrity = checkIntegrity(call, target.value);
    if (integrity.kind === "ending") return integrity;
    const limited = checkLimits(call, target.value, limits);
    if (limited.kind === "ending") return limited;
    const found = findFlows(call);
    const permit = decideByPolicy(withFlows(call, found), target.value, gateway);
    const detail = flowDetail(found);
    if (permit.kind === "ending") return { ...permit, detail: { ...permit.detail, ...detail } };
    limits.windows.take(limited.value);
    return found === null ? permit : proceed({ ...permit.value, detail });
  }

  /** Counts a decision for `context.history`. What limits refuse says nothing about what the principal may do, and is not counted. */
  #count(call: LimitedInput, step: Step<Permit>): void {
    if (step.kind === "ending" && LIMIT_REFUSALS.has(step.detail["error_code"])) return;
    const { target } = step.kind === "ending" ? step : step.value;
    const outcome = step.kind === "ending" ? "deny" : step.value.decision;
    this.#ports.gateway.history.count(call.policy.bundle.history, historyCall(call, target), outcome);
  }

  /** Decides whether a server may ask the agent this question during a call. */
  decideQuestion(call: LimitedInput, target: Target, question: Question): QuestionDecision {
    const { gateway } = this.#ports;
    const verdict = call.policy.decide(questionFacts(gateway, withFlows(call, findFlows(call)), target, question));
    const refusal = refusalOf(verdict);
    return { allowed: refusal === null || modeAllows(gateway, verdict), refusal };
  }

  /** Decides whether the agent gets a result or message of a call that was sent. */
  decideDelivery(call: LimitedInput, target: Target, delivery: DeliveryFacts): DeliveryDecision {
    const { gateway } = this.#ports;
    const facts = deliveryFacts(gateway, call, target, delivery);
    const verdict = call.policy.decide(facts);
    const { rule, redactFields, keepFields } = verdict;
    const refusal = refusalOf(verdict);
    if (refusal === null) return { delivers: true, rule, redactFields, keepFields, advisory: null };
    const through = modeAllows(gateway, verdict) ? redactionFor(call.policy, facts) : null;
    const advisory = through === null ? null : (refusal.decision ?? "deny");
    return { delivers: through !== null, rule, ...(through ?? { redactFields: [], keepFields: [] }), advisory };
  }

  /**
   * Whether a target is in the caller's lists. A target that policy refuses for all arguments, even at the lowest sensitivity, is not.
   * The arguments are unknown here. An error, an invalid request and a refusal that some arguments would change therefore list it.
   * The call itself is still decided in full.
   */
  isListed(call: DecisionInput, target: Target): Listing {
    const { gateway } = this.#ports;
    if (!isCallable(approvedOf(target))) return { listed: false, checkedArguments: false };
    if (gateway.enforcementMode !== "enforcing") return { listed: true, checkedArguments: false };
    const facts = listingFacts(gateway, call, target);
    const { decision, cause } = call.policy.decide(facts);
    const allowed = decision === "allow" || decision === "redact";
    if (allowed || cause === "error" || cause === "request-invalid") return { listed: true, checkedArguments: false };
    let checkedArguments = false;
    const looking = (): void => void (checkedArguments = true);
    const listed = cause !== "fault" && call.policy.couldAllow(facts, looking);
    return { listed, checkedArguments };
  }
}
