import { entityRequestOf, type EntityRequest } from "../compile/governed.ts";
import type { CompilePlan } from "../compile/plan.ts";
import type { GovernedFacts } from "../facts.ts";
import { fixedDeny, redactionOf, verdictOf, type EngineResponse, type Redaction, type Verdict } from "../verdict.ts";
import { authorize } from "./engine.ts";
import type { CedarRequest } from "./cedar-request.ts";
import { projectRequest } from "./project.ts";
import { permitSlice, redactingSlice, sliceFor, type Slice } from "./slice.ts";

/** What became of answers that the engine's cache still holds: a verdict follows from its answer, under the plan it was asked with. */
const verdicts = new WeakMap<EngineResponse, Verdict>();

function verdictUnder({ rules }: CompilePlan, response: EngineResponse): Verdict {
  const before = verdicts.get(response);
  if (before !== undefined) return before;
  const verdict = verdictOf(response, rules);
  verdicts.set(response, verdict);
  return verdict;
}

/**
 * Decides one request under a compiled plan. Whatever goes wrong is a deny, and so is whatever the bundle says nothing about.
 *
 * @param onRequest called with the request to the engine, whether or not the engine has answered the same before
 */
export function decideWith(
  plan: CompilePlan,
  facts: GovernedFacts,
  onRequest: (request: CedarRequest) => void = () => undefined,
): Verdict {
  return decideBy(plan, facts, { onRequest, sliceOf: sliceFor });
}

/** As {@link decideWith}, by the permits alone. */
export function decideByPermits(
  plan: CompilePlan,
  facts: GovernedFacts,
  onRequest: (request: CedarRequest) => void = () => undefined,
): Verdict {
  return decideBy(plan, facts, { onRequest, sliceOf: permitSlice });
}

/** Which rules are asked, and who hears of the request to them. */
interface Asking {
  readonly onRequest: (request: CedarRequest) => void;
  readonly sliceOf: (plan: CompilePlan, asked: EntityRequest) => Slice;
}

function decideBy(plan: CompilePlan, facts: GovernedFacts, { onRequest, sliceOf }: Asking): Verdict {
  try {
    const asked = entityRequestOf(plan.shape, facts);
    if (asked === null) return fixedDeny("default-deny", "no-policy");
    const request = projectRequest(plan.shape, plan.projection, asked, facts);
    if (request === "not-declared") return fixedDeny("default-deny", "no-policy");
    if (request === "request-invalid" || request === "context-bound") return fixedDeny(request, request);
    onRequest(request);
    const answer = authorize(plan, sliceOf(plan, asked), request);
    return answer.type === "failure"
      ? fixedDeny("request-invalid", "request-invalid")
      : verdictUnder(plan, answer.response);
  } catch {
    // A failing engine, or a bug: the verdict is the report, and it is recorded with the call.
    return fixedDeny("engine-failure", "fault");
  }
}

/**
 * What the permits that apply to a request want removed from its result and kept in it, whatever forbids it. If that
 * cannot be told, it is all that any could remove and none would keep.
 */
export function redactionWith(plan: CompilePlan, facts: GovernedFacts): Redaction {
  const asked = entityRequestOf(plan.shape, facts);
  const slice = asked === null ? null : redactingSlice(plan, asked);
  if (asked === null || slice === null) return { redactFields: [], keepFields: [] };
  const of = (ids: readonly string[]): Redaction => redactionOf(ids.flatMap((id) => plan.rules.get(id) ?? []));
  const request = projectRequest(plan.shape, plan.projection, asked, facts);
  if (typeof request === "string") return of(slice.rules());
  const answer = authorize(plan, slice, request);
  const clean = answer.type === "success" && answer.response.diagnostics.errors.length === 0;
  return of(clean ? answer.response.diagnostics.reason : slice.rules());
}
