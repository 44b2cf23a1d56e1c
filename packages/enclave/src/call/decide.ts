import { approvedOf, isCallable, type Catalog, type Target } from "@cmcp/catalog";
import { checkArguments } from "./check-arguments.ts";
import { checkWorkflow, type WorkflowTerms } from "./check-workflow.ts";
import { decideByPolicy, passes, refusalOf } from "./decide-by-policy.ts";
import type { DecidedCall } from "./call.ts";
import type { Refusal, Step } from "./ending.ts";
import { listingFacts, questionFacts, type GatewayFacts } from "./facts.ts";
import type { Permit } from "./permit.ts";
import { resolveTarget } from "./resolve-target.ts";

/** What policy makes of a question; where it refuses it, `passes` is the mode's word. */
export interface QuestionVerdict {
  readonly passes: boolean;
  readonly refusal: Refusal | null;
}

/** What decisions rest on. */
export interface DecisionTerms {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly gateway: GatewayFacts;
  readonly workflows: WorkflowTerms;
}

/** The first four stages of a call: what is asked for, by whom, with which arguments, and what policy says. Nothing here waits. */
export class Decider {
  readonly #terms: DecisionTerms;

  constructor(terms: DecisionTerms) {
    this.#terms = terms;
  }

  /** Decides one request. */
  decide(call: DecidedCall): Step<Permit> {
    const { catalog, workflows, gateway } = this.#terms;
    const target = resolveTarget(call.decided, catalog);
    if (target.kind === "ending") return target;
    const workflow = checkWorkflow(call, target.value, workflows);
    if (workflow.kind === "ending") return workflow;
    const fit = checkArguments(call, target.value);
    if (fit.kind === "ending") return fit;
    return decideByPolicy(call, target.value, gateway);
  }

  /** Whether a server may put this to the agent while it works on a call: a decision of its own, under the mode as the call itself. */
  question(call: DecidedCall, target: Target, method: string): QuestionVerdict {
    const { gateway } = this.#terms;
    const verdict = call.policy.decide(questionFacts(gateway, call, target, method));
    const refusal = refusalOf(verdict);
    return { passes: refusal === null || passes(gateway, verdict), refusal };
  }

  /**
   * Whether something is shown to a caller: what no arguments, and no session that has seen less, would let through is not.
   * Arguments are unknown here, so a verdict that only they could settle shows it:
   * an error, an invalid request, or a refusal that some arguments would change. The request itself is still decided in full.
   * @param mayLook whether the engine may be asked what arguments could change, which takes milliseconds
   */
  isListed(call: DecidedCall, target: Target, mayLook: () => boolean): boolean {
    const { gateway } = this.#terms;
    if (!isCallable(approvedOf(target))) return false;
    if (gateway.enforcementMode !== "enforcing") return true;
    const facts = listingFacts(gateway, call, target);
    const { decision, cause } = call.policy.decide(facts);
    if (decision === "allow" || decision === "redact") return true;
    if (cause === "error" || cause === "request-invalid") return true;
    return cause !== "fault" && call.policy.couldAllow(facts, mayLook);
  }
}
