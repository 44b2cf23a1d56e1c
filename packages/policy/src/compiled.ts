import type { PolicyBundle } from "./bundle/index.ts";
import type { CedarRequest } from "./evaluate/cedar-request.ts";
import type { GovernedFacts } from "./facts.ts";
import type { Redaction, Verdict } from "./verdict.ts";

/**
 * How a bundle's rules name things. `call_tool`: `cMCP::Principal`, `cMCP::Action::"call_tool"` on `cMCP::Resource`,
 * and the other actions of that namespace on `cMCP::ResourceItem` and `cMCP::Prompt`. `per-tool-action`: `Agent`,
 * one `Action` per tool, `Resource`; it has no names for resources and prompts, so they are denied.
 */
export type BundleShape = "call_tool" | "per-tool-action";

/** A bundle ready to decide. */
export interface CompiledPolicy {
  readonly bundle: PolicyBundle;
  readonly shape: BundleShape;
  /** What an operator should know: rules that cannot be evaluated as written, and how to correct them. */
  readonly warnings: readonly string[];
  /** Whether some rule reads an attribute of a request variable, such as `context`, or the variable as a value. */
  reads(variable: string, attribute: string): boolean;
  /** Whether results and messages are decided before the agent gets them: the rules or the schema speak of `deliver_result`. */
  readonly decidesDelivery: boolean;
  /**
   * Decides one request. Never throws; whatever goes wrong is a deny.
   *
   * @param onRequest called with the request to Cedar before its answer is used, and not called where Cedar is not asked
   */
  decide(facts: GovernedFacts, onRequest?: (request: CedarRequest) => void): Verdict;
  /**
   * As {@link decide}, by the permits alone, whatever forbids the request: for a request whose forbids were lifted.
   */
  decidePermits(facts: GovernedFacts, onRequest?: (request: CedarRequest) => void): Verdict;
  /**
   * Whether some arguments could let a request through that is refused without any; for showing what can be called.
   * @param looking called before the engine is asked, which takes milliseconds
   * @throws CmcpError `TEE_FAULT` when the engine fails
   */
  couldAllow(facts: GovernedFacts, looking?: () => void): boolean;
  /**
   * Fields of the result that permits which apply to the request want removed, and those they keep, whatever else forbids it: for
   * modes that let a refused call through. @throws CmcpError `TEE_FAULT` when the engine fails.
   */
  redactionOf(facts: GovernedFacts): Redaction;
}
