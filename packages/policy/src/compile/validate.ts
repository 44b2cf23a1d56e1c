import { validate, type SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import { readsProblem } from "../schema/reads.ts";
import type { Projection } from "../schema/projection.ts";
import { engineText } from "./engine-errors.ts";
import type { ParsedPolicy } from "./policies.ts";

/** What a schema says about a bundle's rules. */
export interface RuleFindings {
  /** Rules that cannot be trusted to mean what they say, by policy id. */
  readonly problems: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** The same schema with nothing optional; attributes' `required` is the only `false` a schema holds under that key. */
function allRequired(schema: SchemaJson<string>): SchemaJson<string> {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) => (key === "required" && value === false ? true : value)),
  ) as SchemaJson<string>;
}

interface EngineFindings {
  readonly errors: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

function ask(schema: SchemaJson<string>, policies: readonly ParsedPolicy[]): EngineFindings {
  const staticPolicies: Record<string, string> = Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
  const answer = validate({ schema, policies: { staticPolicies } });
  if (answer.type === "failure")
    throw new CmcpError("POLICY_BUNDLE_INVALID", `the policies cannot be validated: ${engineText(answer.errors)}`);
  // Success only says that validation ran; what it found is inside.
  const errors = new Map(answer.validationErrors.map(({ policyId, error }) => [policyId, engineText([error])]));
  return {
    errors,
    warnings: answer.validationWarnings.map(({ policyId, error }) => `${policyId}: ${engineText([error])}`),
  };
}

/**
 * Validates rules against a schema. A rule whose only fault is an unguarded read of an optional attribute is
 * no problem: where the attribute is absent its evaluation fails, and that denies.
 */
export function findProblems(
  schema: SchemaJson<string>,
  projection: Projection,
  policies: readonly ParsedPolicy[],
): RuleFindings {
  const strict = ask(schema, policies);
  const lenient = strict.errors.size === 0 ? strict : ask(allRequired(schema), policies);
  const problems = new Map<string, string>();
  const warnings = [...strict.warnings];
  for (const { id, references } of policies) {
    const found = readsProblem(references.reads, projection) ?? lenient.errors.get(id);
    const guarded = strict.errors.get(id);
    if (found !== undefined) problems.set(id, found);
    else if (guarded !== undefined) warnings.push(`${id}: ${guarded}; calls without it are denied`);
  }
  return { problems, warnings };
}
