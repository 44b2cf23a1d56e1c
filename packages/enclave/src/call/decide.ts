import { approvedOf, isCallable, type Target } from "@cmcp/catalog";
import type { Flows } from "@cmcp/flows";
import { LIMIT_REFUSALS } from "../record/principal-stops.ts";
import { checkArguments } from "./check-arguments.ts";
import { checkIntegrity } from "./check-integrity.ts";
import { checkKillSwitch, checkLimits, type LimitPorts } from "./check-limits.ts";
import { checkManifest, type ManifestCheckPorts } from "./check-manifest.ts";
import { checkWorkflow, type WorkflowPorts } from "./check-workflow.ts";
import { decideByPolicy, disclosed, isLifted, modeAllows, redactionFor, refusalOf } from "./decide-by-policy.ts";
import type { ApprovalTerms, DeliveryFacts, DisclosureTerms, EgressFacts } from "@cmcp/policy";
import type { Caller } from "../access/caller.ts";
import type { Approvers } from "../access/approvers.ts";
import type { DecisionInput, LimitedInput } from "./call.ts";
import { proceed, type Ending, type Refusal, type Step } from "./ending.ts";
import { findFlows, flowDetail, flowFacts } from "./find-flows.ts";
import {
  deliveryFacts,
  egressFacts,
  historyCall,
  isToolOf,
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

/** The decision on a connection of a server. With `advisory_deny` the enforcement mode lets it through. */
export interface EgressVerdict {
  readonly decision: "allow" | "advisory_deny" | "deny";
  readonly rule: string;
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
  /** What lifts a refusal; absent where no approval does. */
  readonly approval?: ApprovalTerms;
}

/**
 * Whether a target is listed. `checkedArguments`: whether the engine was asked if any arguments would be allowed,
 * which takes milliseconds.
 */
export interface Listing {
  readonly listed: boolean;
  readonly checkedArguments: boolean;
}

/** Says whether a refusal is lifted, as each is met. */
export interface Lifting {
  /** By approvals. */
  lifts(refusal: NonNullable<Ending["approvable"]>): boolean;
  /** By an owner's permission to send exactly this call to this target. */
  discloses(refusal: NonNullable<Ending["disclosable"]>, target: Target): boolean;
}

const NOTHING_LIFTED: Lifting = { lifts: () => false, discloses: () => false };

/** What lifts a refusal that was not lifted before; `null` where nothing does. */
function liftOf(
  { approvable, disclosable, target }: Ending,
  lifting: Lifting,
  before: ReadonlySet<string>,
): string | null {
  if (approvable !== undefined)
    return !before.has(approvable.rule) && lifting.lifts(approvable) ? approvable.rule : null;
  if (disclosable === undefined || target === null) return null;
  const lift = disclosed(disclosable.rule);
  return !before.has(lift) && lifting.discloses(disclosable, target) ? lift : null;
}

/** The terms of an owner's permission, as approvers are asked for. */
function permittedBy({ owners }: DisclosureTerms): ApprovalTerms {
  return { needed: 1, approvers: owners, reason: null };
}

/** Most refusals of one call that are lifted: of integrity, and of policy. */
const MAX_LIFTED = 2;

/** What deciding needs. */
export interface DeciderPorts {
  readonly gateway: GatewayFacts;
  readonly workflows: WorkflowPorts;
  readonly limits: LimitPorts;
  /** `null` where the configuration asks for no agent manifests. */
  readonly manifests: ManifestCheckPorts | null;
  /** Who can approve; absent where nobody does. */
  readonly approvers?: Pick<Approvers, "eligible">;
  /** Whether calls wait that a rule defers. */
  readonly defers?: boolean;
}

/** Stages 1 to 9 of a call. They are synchronous, so nothing changes between them. */
export class Decider {
  readonly #ports: DeciderPorts;

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  /**
   * Decides one request: checks the kill switch and the agent manifest, finds the target, checks workflow, arguments,
   * integrity and limits, asks policy. A permitted request is counted at once, so that no two requests share what is left
   * of a limit. Where approvals or a permission lift a refusal every stage runs again, without that refusal and with every other.
   * @param isFinal whether a decision stands, and so counts for `context.history`
   */
  decide(
    call: LimitedInput,
    lifting: Lifting = NOTHING_LIFTED,
    isFinal: (step: Step<Permit>) => boolean = () => true,
  ): Step<Permit> {
    const stopped = checkKillSwitch(call, this.#ports.limits);
    if (stopped.kind === "ending") return stopped;
    const lifted = new Set<string>();
    let step = this.#decideRunning(call, lifted);
    while (step.kind === "ending" && lifted.size < MAX_LIFTED) {
      const lift = liftOf(step, lifting, lifted);
      if (lift === null) break;
      lifted.add(lift);
      step = this.#decideRunning(call, lifted);
    }
    if (isFinal(step)) this.count(call, step);
    return step;
  }

  /** Decides a request of a principal that the kill switch has not stopped. */
  #decideRunning(call: LimitedInput, lifted: ReadonlySet<string>): Step<Permit> {
    const { workflows, gateway, limits, manifests } = this.#ports;
    const identified = checkManifest(call, manifests);
    if (identified.kind === "ending") return identified;
    const target = resolveTarget(call.policyRequest, call.catalog, (found) => this.offers(call.caller, found));
    if (target.kind === "ending") return target;
    const workflow = checkWorkflow(call, target.value, workflows);
    if (workflow.kind === "ending") return workflow;
    const fit = checkArguments(call, target.value);
    if (fit.kind === "ending") return fit;
    const integrity = checkIntegrity(call, target.value, lifted);
    if (integrity.kind === "ending") return integrity;
    const limited = checkLimits(call, target.value, limits);
    if (limited.kind === "ending") return limited;
    const found = findFlows(call);
    const permit = decideByPolicy(withFlows(call, found), target.value, { gateway, lifted });
    const detail = flowDetail(found);
    if (permit.kind === "ending")
      return { ...permit, detail: { ...permit.detail, ...detail }, ...(found === null ? {} : { flows: found }) };
    limits.windows.take(limited.value);
    return found === null ? permit : proceed({ ...permit.value, detail });
  }

  /** Counts a decision for `context.history`. What limits refuse says nothing about what the principal may do, and is not counted. */
  count(call: LimitedInput, step: Step<Permit>): void {
    if (step.kind === "ending" && LIMIT_REFUSALS.has(step.detail["error_code"])) return;
    const { target } = step.kind === "ending" ? step : step.value;
    const outcome = step.kind === "ending" ? "deny" : step.value.decision;
    this.#ports.gateway.history.count(call.policy.bundle.history, historyCall(call, target), outcome);
  }

  /**
   * Whether a target is offered where a caller's requests come. At the endpoint of a workflow these are that workflow's tools, and every
   * prompt and resource.
   */
  offers({ endpoint }: Caller, target: Target): boolean {
    if (endpoint === null || target.kind !== "tool") return true;
    return isToolOf(this.#ports.gateway, endpoint, target.tool.toolName);
  }

  /** Decides whether a server may ask the agent this question during a call. */
  decideQuestion(call: LimitedInput, target: Target, question: Question): QuestionDecision {
    const { gateway } = this.#ports;
    const facts = questionFacts(gateway, withFlows(call, findFlows(call)), target, question);
    const verdict = call.policy.decide(facts, call.onCedarRequest);
    const refusal = refusalOf(verdict);
    return { allowed: refusal === null || modeAllows(gateway, verdict), refusal };
  }

  /**
   * Decides whether a server may connect to a host during a call: the caller may still call and use the workflow, and
   * policy permits it.
   */
  decideEgress(call: LimitedInput, target: Target, egress: EgressFacts): EgressVerdict {
    const { gateway } = this.#ports;
    const held = this.checkHeld(call, target);
    if (held.kind === "ending") return { decision: "deny", rule: held.rule };
    const facts = egressFacts(gateway, withFlows(call, findFlows(call)), target, egress);
    const verdict = call.policy.decide(facts, call.onCedarRequest);
    if (refusalOf(verdict) === null) return { decision: "allow", rule: verdict.rule };
    return { decision: modeAllows(gateway, verdict) ? "advisory_deny" : "deny", rule: verdict.rule };
  }

  /**
   * Decides whether the agent still gets a result that was held: the caller may call, the agent manifest of the session
   * counts, and the caller may use the workflow.
   */
  checkHeld(call: LimitedInput, target: Target): Step<null> {
    const { limits, manifests, workflows } = this.#ports;
    const stopped = checkKillSwitch(call, limits);
    if (stopped.kind === "ending") return stopped;
    const identified = checkManifest(call, manifests);
    return identified.kind === "ending" ? identified : checkWorkflow(call, target, workflows);
  }

  /**
   * Decides whether the agent gets a result or message of a call that was sent.
   * @param lifted refusals that approvals lift
   */
  decideDelivery(
    call: LimitedInput,
    target: Target,
    delivery: DeliveryFacts,
    lifted: ReadonlySet<string> = new Set(),
  ): DeliveryDecision {
    const { gateway } = this.#ports;
    const facts = deliveryFacts(gateway, call, target, delivery);
    const first = call.policy.decide(facts, call.onCedarRequest);
    // An approval delivers nothing that no rule permits.
    const verdict = isLifted(first, lifted) ? call.policy.decidePermits(facts, call.onCedarRequest) : first;
    const { rule, redactFields, keepFields } = verdict;
    const refusal = refusalOf(verdict);
    if (refusal === null) return { delivers: true, rule, redactFields, keepFields, advisory: null };
    const through = modeAllows(gateway, verdict) ? redactionFor(call.policy, facts) : null;
    const advisory = through === null ? null : (refusal.decision ?? "deny");
    const { approval } = refusal;
    return {
      delivers: through !== null,
      rule,
      ...(through ?? { redactFields: [], keepFields: [] }),
      advisory,
      ...(through !== null || approval === undefined || verdict !== first ? {} : { approval }),
    };
  }

  /**
   * Whether a target is in the caller's lists. A target that policy refuses for all arguments, even at the lowest sensitivity, is not.
   * The arguments are unknown here. An error, an invalid request and a refusal that some arguments would change therefore list it.
   * The call itself is still decided in full. What approvals, a permission or a later decision, could let through is listed.
   */
  isListed(call: DecisionInput, target: Target): Listing {
    const { gateway } = this.#ports;
    if (!isCallable(approvedOf(target))) return { listed: false, checkedArguments: false };
    if (gateway.enforcementMode !== "enforcing") return { listed: true, checkedArguments: false };
    const facts = listingFacts(gateway, call, target);
    const { decision, cause, approval, disclosure } = call.policy.decide(facts);
    const terms = approval ?? (disclosure === undefined ? undefined : permittedBy(disclosure));
    const later = decision === "defer" && this.#ports.defers === true;
    const allowed = decision === "allow" || decision === "redact" || later || this.#isApprovable(terms);
    if (allowed || cause === "error" || cause === "request-invalid") return { listed: true, checkedArguments: false };
    let checkedArguments = false;
    const looking = (): void => void (checkedArguments = true);
    const listed = cause !== "fault" && call.policy.couldAllow(facts, looking);
    return { listed, checkedArguments };
  }

  #isApprovable(terms: ApprovalTerms | undefined): boolean {
    return terms !== undefined && (this.#ports.approvers?.eligible(terms) ?? null) !== null;
  }
}
