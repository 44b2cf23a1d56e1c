import { approvedOf, isCallable, type Catalog, type Target } from "@cmcp/catalog";
import { checkArguments } from "./check-arguments.ts";
import { checkIntegrity } from "./check-integrity.ts";
import { checkWorkflow, type WorkflowPorts } from "./check-workflow.ts";
import { decideByPolicy, modeAllows, refusalOf } from "./decide-by-policy.ts";
import type { DecisionInput } from "./call.ts";
import type { Refusal, Step } from "./ending.ts";
import { listingFacts, questionFacts, type GatewayFacts } from "./policy-facts.ts";
import type { Permit } from "./permit.ts";
import { resolveTarget } from "./resolve-target.ts";

/** The decision on a question. Under an enforcement mode that does not enforce, a refused question can still be allowed. */
export interface QuestionDecision {
  readonly allowed: boolean;
  readonly refusal: Refusal | null;
}

/** What deciding needs. */
export interface DeciderPorts {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly gateway: GatewayFacts;
  readonly workflows: WorkflowPorts;
}

/** Stages 1 to 5 of a call. They are synchronous, so nothing changes between them. */
export class Decider {
  readonly #ports: DeciderPorts;

  constructor(ports: DeciderPorts) {
    this.#ports = ports;
  }

  /** Decides one request: finds its target, checks workflow, arguments and integrity, asks policy. */
  decide(call: DecisionInput): Step<Permit> {
    const { catalog, workflows, gateway } = this.#ports;
    const target = resolveTarget(call.policyRequest, catalog);
    if (target.kind === "ending") return target;
    const workflow = checkWorkflow(call, target.value, workflows);
    if (workflow.kind === "ending") return workflow;
    const fit = checkArguments(call, target.value);
    if (fit.kind === "ending") return fit;
    const integrity = checkIntegrity(call, target.value);
    if (integrity.kind === "ending") return integrity;
    return decideByPolicy(call, target.value, gateway);
  }

  /** Decides whether a server may ask the agent this question during a call. */
  decideQuestion(call: DecisionInput, target: Target, method: string): QuestionDecision {
    const { gateway } = this.#ports;
    const verdict = call.policy.decide(questionFacts(gateway, call, target, method));
    const refusal = refusalOf(verdict);
    return { allowed: refusal === null || modeAllows(gateway, verdict), refusal };
  }

  /**
   * Whether a target is in the caller's lists. A target that policy refuses for all arguments, even at the lowest sensitivity, is not.
   * The arguments are unknown here. An error, an invalid request and a refusal that some arguments would change therefore list it.
   * The call itself is still decided in full.
   * @param mayCheckArguments whether to ask the engine if any arguments would be allowed, which takes milliseconds
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
