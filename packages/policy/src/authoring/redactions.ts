import type { PolicyBundle } from "../bundle/index.ts";
import { outlineOf, type PolicyCatalog } from "../compile/outline.ts";
import { planBundle } from "../compile/plan.ts";
import { Reach } from "./reach.ts";

/** What a rule that redacts can be about. */
export interface RedactionReach {
  /** `<file>#<n>`. */
  readonly rule: string;
  readonly redactFields: readonly string[];
  readonly keepFields: readonly string[];
  /** Tools whose calls the rule's scope matches. */
  readonly tools: readonly string[];
  /** Whether its scope matches what has no schema by which fields could be told apart: resources, prompts, completions. */
  readonly reachesUnstructured: boolean;
}

/**
 * Every rule that redacts, with what its scope can match in a catalog; whether results have the fields is for whoever reads schemas.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a bundle that does not load.
 */
export function redactionsOf(bundle: PolicyBundle, catalog: PolicyCatalog): readonly RedactionReach[] {
  const outline = outlineOf(catalog);
  const plan = planBundle({
    files: [...bundle.cedarFiles],
    schemaText: bundle.schemaText,
    catalog: outline,
    history: bundle.history,
  });
  const reach = new Reach(plan, outline);
  return [...plan.rules].flatMap(([rule, { redactFields, keepFields }]) => {
    if (redactFields.length === 0 || !(rule in plan.policies)) return [];
    const resources = reach.resourcesOf(rule);
    return [
      {
        rule,
        redactFields,
        keepFields,
        tools: resources.flatMap(({ tool }) => tool ?? []),
        reachesUnstructured: resources.some(({ tool }) => tool === null),
      },
    ];
  });
}
