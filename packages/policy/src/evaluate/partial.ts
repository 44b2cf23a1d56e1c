import { entityRequestOf } from "../compile/governed.ts";
import type { CompilePlan } from "../compile/plan.ts";
import type { GovernedFacts } from "../facts.ts";
import { ARGUMENT_ATTRIBUTES } from "../target-facts.ts";
import { authorizePartially } from "./engine.ts";
import { projectRequest } from "./project.ts";
import { sliceFor } from "./slice.ts";

/** Rules that may be evaluated with unknowns at one time: the engine reads them anew each time. */
const MAX_PARTIAL_RULES = 64;
/** Answers remembered for one plan: lists ask the same again and again, and each answer takes milliseconds. */
const MAX_REMEMBERED = 1_024;
const remembered = new WeakMap<CompilePlan, Map<string, boolean>>();

/** How the engine names an attribute that is not known. */
const unknown = (arg: string) => ({ __extn: { fn: "unknown", arg } });

/**
 * Whether some arguments could let a request through that is refused without any: Cedar's partial evaluation, with
 * `context.arguments` and what follows from it unknown. For showing things only; a request is decided with the
 * arguments it has. False where it cannot be told: no rule looks at arguments, too many apply, or the engine finds an
 * error.
 * @param looking called before the engine is asked
 */
export function couldAllowWith(
  plan: CompilePlan,
  facts: GovernedFacts,
  looking: () => void = () => undefined,
): boolean {
  const asked = entityRequestOf(plan.shape, facts);
  if (asked === null) return false;
  const rules = sliceFor(plan, asked).rules();
  if (rules.length > MAX_PARTIAL_RULES || !rules.some((id) => looksAtArguments(plan.policies[id]))) return false;
  const request = projectRequest(plan.shape, plan.projection, asked, facts);
  if (typeof request === "string") return false;
  const hidden = Object.keys(request.context).filter((name) => ARGUMENT_ATTRIBUTES.has(name));
  if (hidden.length === 0) return false;
  const known = remembered.get(plan) ?? new Map<string, boolean>();
  remembered.set(plan, known);
  const key = JSON.stringify(request);
  const before = known.get(key);
  if (before !== undefined) return before;
  looking();
  const context = { ...request.context, ...Object.fromEntries(hidden.map((name) => [name, unknown(name)])) };
  const answer = authorizePartially(plan, rules, { ...request, context });
  const could =
    answer.type === "residuals" && answer.response.errored.length === 0 && answer.response.decision !== "deny";
  const oldest = known.keys().next();
  if (known.size >= MAX_REMEMBERED && oldest.done !== true) known.delete(oldest.value);
  known.set(key, could);
  return could;
}

function looksAtArguments(policy: CompilePlan["policies"][string] | undefined): boolean {
  const text = JSON.stringify(policy ?? "");
  return [...ARGUMENT_ATTRIBUTES].some((name) => text.includes(name));
}
