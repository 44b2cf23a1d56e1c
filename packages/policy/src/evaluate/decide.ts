import type { CompilePlan } from "../compile/plan.ts";
import type { CallFacts } from "../facts.ts";
import { fixedDeny, verdictOf, type Verdict } from "../verdict.ts";
import { authorize } from "./engine.ts";
import { projectCall } from "./project.ts";

/** Decides one call under a compiled plan. Whatever goes wrong is a deny. */
export function decideWith(plan: CompilePlan, facts: CallFacts): Verdict {
  try {
    const request = projectCall(plan.shape, plan.projection, facts);
    if (request === "request-invalid" || request === "context-bound") return fixedDeny(request, request);
    const answer = authorize(plan, request);
    return answer.type === "failure" ? fixedDeny("request-invalid", "request-invalid") : verdictOf(answer.response, plan.rules);
  } catch {
    // A failing engine, or a bug: the verdict is the report, and it is recorded with the call.
    return fixedDeny("engine-failure", "error");
  }
}
