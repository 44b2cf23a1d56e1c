import { approvedOf, isCallable, type Catalog, type Target } from "@cmcp/catalog";
import { checkArguments } from "./check-arguments.ts";
import { checkWorkflow, type WorkflowPorts } from "./check-workflow.ts";
import { decideByPolicy, modeAllows, refusalOf } from "./decide-by-policy.ts";
import type { DecisionInput } from "./call.ts";
import type { Refusal, Step } from "./ending.ts";
import { listingFacts, questionFacts, type GatewayFacts } from "./policy-facts.ts";
import type { Permit } from "./permit.ts";
import { resolveTarget } from "./resolve-target.ts";

/** What policy makes of a question; where it refuses it, `passes` is the mode's word. */
export interface QuestionDecision {
  readonly allowed: boolean;
  readonly refusal: Refusal | null;
}

/** What decisions rest on. */
export interface DeciderPorts {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly gateway: GatewayFacts;
  readonly workflows: WorkflowPorts;
}

/** The first four stages of a call: what is asked for, by whom, with which arguments, and what policy says. Nothing here waits. */
export class Decider {
  readonly #ports: DeciderPorts;

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  /** Decides one request. */
  decide(call: DecisionInput): Step<Permit> {
    const { catalog, workflows, gateway } = this.#ports;
    const target = resolveTarget(call.policyRequest, catalog);
    if (target.kind === "ending") return target;
    const workflow = checkWorkflow(call, target.value, workflows);
    if (workflow.kind === "ending") return workflow;
    const fit = checkArguments(call, target.value);
    if (fit.kind === "ending") return fit;
    return decideByPolicy(call, target.value, gateway);
  }

  /** Whether a server may put this to the agent while it works on a call: a decision of its own, under the mode as the call itself. */
  decideQuestion(call: DecisionInput, target: Target, method: string): QuestionDecision {
    const { gateway } = this.#ports;
    const verdict = call.policy.decide(questionFacts(gateway, call, target, method));
    const refusal = refusalOf(verdict);
    return { allowed: refusal === null || modeAllows(gateway, verdict), refusal };
  }

  /**
   * Whether something is shown to a caller: what no arguments, and no session that has seen less, would let through is not.
   * Arguments are unknown here, so a verdict that only they could settle shows it:
   * an error, an invalid request, or a refusal that some arguments would change. The request itself is still decided in full.
   * @param mayLook whether the engine may be asked what arguments could change, which takes milliseconds
   */
  isListed(call: DecisionInput, target: Target, mayCheckArguments: () => boolean): boolean {
    const { gateway } = this.#ports;
    if (!isCallable(approvedOf(target))) return false;
    if (gateway.enforcementMode !== "enforcing") return true;
    const facts = listingFacts(gateway, call, target);
    const { decision, cause } = call.policy.decide(facts);
    if (decision === "allow" || decision === "redact") return true;
    if (cause === "error" || cause === "request-invalid") return true;
    return cause !== "fault" && call.policy.couldAllow(facts, mayCheckArguments);
  }
}
