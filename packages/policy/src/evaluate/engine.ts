import { preparsePolicySet, preparseSchema, statefulIsAuthorized, type AuthorizationAnswer } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import type { CompilePlan } from "../compile/plan.ts";
import type { ProjectedRequest } from "./project.ts";

/** What the engine holds of a plan. */
export type EnginePlan = Pick<CompilePlan, "policies" | "schema">;

// The engine keeps what it preparsed for good, so one id is used over and over.
const PREPARSED = "cmcp";

let installed: EnginePlan | undefined;
let trapped = false;

/** Runs engine code; after a trap the instance's memory is in no known state and it is never asked again. */
function guarded<T>(work: () => T): T {
  if (trapped) throw new CmcpError("TEE_FAULT", "the policy engine has failed in this process; restart the gateway");
  try {
    return work();
  } catch (thrown) {
    trapped = true;
    installed = undefined;
    throw new CmcpError("TEE_FAULT", "the policy engine failed", { cause: thrown });
  }
}

/**
 * Puts a plan in place of the one this thread's engine holds; it holds one at a time.
 *
 * @throws CmcpError `TEE_FAULT` when the engine refuses the plan or fails.
 */
export function install(plan: EnginePlan): void {
  if (installed === plan) return;
  installed = undefined;
  const refused = guarded(() => [preparseSchema(PREPARSED, plan.schema), preparsePolicySet(PREPARSED, { staticPolicies: { ...plan.policies } })].some((answer) => answer.type === "failure"));
  if (refused) throw new CmcpError("TEE_FAULT", "the policy engine refused a bundle that compiled");
  installed = plan;
}

/** Asks the engine about one request under a plan, validated against the plan's schema. @throws CmcpError `TEE_FAULT`. */
export function authorize(plan: EnginePlan, request: ProjectedRequest): AuthorizationAnswer {
  install(plan);
  return guarded(() => statefulIsAuthorized({ ...request, preparsedPolicySetId: PREPARSED, preparsedSchemaName: PREPARSED, validateRequest: true }));
}
