import type { PolicyBundle } from "../bundle/index.ts";
import { checkNesting } from "../compile/nesting.ts";
import { outlineOf, type PolicyCatalog } from "../compile/outline.ts";
import type { ApprovalTerms } from "../verdict.ts";
import { planBundle } from "../compile/plan.ts";
import { parsePolicies, type ParsedPolicy } from "../compile/policies.ts";
import { Reach } from "./reach.ts";

/** One rule of a bundle, for people who look for it. */
export interface RulePlace {
  /** `@id`, else `<file>#<n>`: what records name. */
  readonly label: string;
  readonly file: string;
  /** Line of the file where the rule begins, counted from 1. */
  readonly line: number;
  readonly effect: "permit" | "forbid";
  readonly reason: string | null;
  /** What lifts a forbid that approvals lift; `null` for every other rule. */
  readonly approval: ApprovalTerms | null;
  /** Attributes that its conditions read, such as `context.channel`; sorted, each once. */
  readonly reads: readonly string[];
  /** Tools whose calls its scope matches. */
  readonly tools: readonly string[];
}

/** Lines where the rules of a file begin, in their order. A rule that cannot be found again is where the one before it is. */
function linesOf(text: string, policies: readonly ParsedPolicy[]): readonly number[] {
  let at = 0;
  return policies.map((policy) => {
    const found = text.indexOf(policy.text.trim(), at);
    if (found >= 0) at = found;
    const line = text.slice(0, at).split("\n").length;
    if (found >= 0) at += policy.text.trim().length;
    return line;
  });
}

/**
 * Every rule of a bundle with its place, and the calls of a catalog that its scope matches.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a bundle that does not load.
 */
export function rulesOf(bundle: PolicyBundle, catalog: PolicyCatalog): readonly RulePlace[] {
  for (const [path, text] of [...bundle.cedarFiles, ["schema.cedarschema", bundle.schemaText] as const])
    checkNesting(path, text);
  const files = [...bundle.cedarFiles];
  const outline = outlineOf(catalog);
  const { schemaText, history } = bundle;
  const reach = new Reach(planBundle({ files, schemaText, history, catalog: outline }), outline);
  return files.flatMap(([file, text]) => {
    const policies = parsePolicies([[file, text]]);
    const lines = linesOf(text, policies);
    return policies.map(({ id, rule, references }, index) => ({
      label: rule.label,
      file,
      line: lines[index] ?? 1,
      effect: rule.effect,
      reason: rule.reason,
      approval: rule.approval ?? null,
      reads: [...new Set(references.reads.map(({ variable, path }) => [variable, ...path].join(".")))].toSorted(),
      tools: reach.resourcesOf(id).flatMap(({ tool }) => tool ?? []),
    }));
  });
}
