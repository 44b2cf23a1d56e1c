import type { CompilePlan } from "../compile/plan.ts";
import type { CallFacts } from "../facts.ts";
import { fixedDeny, verdictOf, type Verdict } from "../verdict.ts";
import { authorize } from "./engine.ts";
import { projectCall } from "./project.ts";
import { redactingSlice, sliceFor } from "./slice.ts";

/** Decides one call under a compiled plan. Whatever goes wrong is a deny. */
export function decideWith(plan: CompilePlan, facts: CallFacts): Verdict {
  try {
    const request = projectCall(plan.shape, plan.projection, facts);
    if (request === "request-invalid" || request === "context-bound") return fixedDeny(request, request);
    const answer = authorize(plan, sliceFor(plan, facts.tool), request);
    return answer.type === "failure" ? fixedDeny("request-invalid", "request-invalid") : verdictOf(answer.response, plan.rules);
  } catch {
    // A failing engine, or a bug: the verdict is the report, and it is recorded with the call.
    return fixedDeny("engine-failure", "fault");
  }
}

/** What the permits that apply to a call want removed from its result, whatever forbids it; all that any could, when that cannot be told. */
export function redactionWith(plan: CompilePlan, facts: CallFacts): readonly string[] {
  const slice = redactingSlice(plan, facts.tool);
  if (slice === null) return [];
  const fieldsOf = (ids: readonly string[]): readonly string[] => [...new Set(ids.flatMap((id) => plan.rules.get(id)?.redactFields ?? []))].toSorted();
  const request = projectCall(plan.shape, plan.projection, facts);
  if (request === "request-invalid" || request === "context-bound") return fieldsOf(slice.rules());
  const answer = authorize(plan, slice, request);
  const clean = answer.type === "success" && answer.response.diagnostics.errors.length === 0;
  return fieldsOf(clean ? answer.response.diagnostics.reason : slice.rules());
}
