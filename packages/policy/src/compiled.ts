import type { PolicyBundle } from "./bundle/index.ts";
import type { CallFacts } from "./facts.ts";
import type { Verdict } from "./verdict.ts";

/**
 * How a bundle's rules name things. `call_tool`: `cMCP::Principal`, `cMCP::Action::"call_tool"`,
 * `cMCP::Resource`. `per-tool-action`: `Agent`, one `Action` per tool, `Resource`.
 */
export type BundleShape = "call_tool" | "per-tool-action";

/** A bundle ready to decide calls. */
export interface CompiledPolicy {
  readonly bundle: PolicyBundle;
  readonly shape: BundleShape;
  /** What an operator should know: rules that cannot be evaluated as written, and how to correct them. */
  readonly warnings: readonly string[];
  /** Decides one call. Never throws; whatever goes wrong is a deny. */
  decide(facts: CallFacts): Verdict;
  /**
   * Fields of the result that permits which apply to the call want removed, whatever else forbids it: for modes
   * that let a refused call through. @throws CmcpError `TEE_FAULT` when the engine fails.
   */
  redactionOf(facts: CallFacts): readonly string[];
}
