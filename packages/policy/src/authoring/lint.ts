import type { PolicyBundle } from "../bundle/index.ts";
import { checkNesting } from "../compile/nesting.ts";
import { outlineOf, type PolicyCatalog } from "../compile/outline.ts";
import { planBundle, type CompilePlan } from "../compile/plan.ts";
import { parsePolicies, type ParsedPolicy } from "../compile/policies.ts";
import { Reach } from "./reach.ts";

function isForAll(constraint: ParsedPolicy["json"]["principal"]): boolean {
  return constraint.op === "All";
}

function sharedIds(policies: readonly ParsedPolicy[]): string[] {
  const byLabel = Map.groupBy(policies, ({ rule }) => rule.label);
  return [...byLabel].flatMap(([label, sharing]) =>
    sharing.length > 1
      ? [
          `${sharing.map(({ id }) => id).join(", ")} share the @id ${label}: a record that names it does not say which rule decided`,
        ]
      : [],
  );
}

/** Rules whose scope no request about the catalog can match. */
function unmatched(plan: CompilePlan, policies: readonly ParsedPolicy[], reach: Reach): string[] {
  return policies.flatMap(({ id }) =>
    id in plan.policies && reach.of(id).size === 0
      ? [`${id} never matches: its scope names nothing of the catalog`]
      : [],
  );
}

/** Permits that one forbid without conditions covers in full, so that they never allow anything. */
function overruled(plan: CompilePlan, policies: readonly ParsedPolicy[], reach: Reach): string[] {
  const forbids = policies.filter(
    ({ id, json }) =>
      id in plan.policies && json.effect === "forbid" && json.conditions.length === 0 && isForAll(json.principal),
  );
  return policies.flatMap(({ id, json }) => {
    const own = json.effect === "permit" && id in plan.policies ? [...reach.of(id)] : [];
    const by =
      own.length === 0 ? undefined : forbids.find((forbid) => own.every((request) => reach.of(forbid.id).has(request)));
    return by === undefined ? [] : [`${id} never allows anything: ${by.id} forbids all it permits`];
  });
}

/** Rules that name approvers or owners whom the configuration does not, or need more than there are. Without any, such rules only deny. */
function unapprovable(policies: readonly ParsedPolicy[], measured: readonly string[]): string[] {
  return policies.flatMap(({ id, rule: { approval, disclosure } }) => {
    const named = disclosure?.owners ?? approval?.approvers ?? [];
    const unknown = named.filter((name) => !measured.includes(name));
    if (unknown.length > 0) return [`${id}: enclave.approvers does not list ${unknown.join(", ")}`];
    return approval !== undefined && approval.needed > measured.length
      ? [`${id} can only deny: it needs ${approval.needed} approvals, and enclave.approvers lists ${measured.length}`]
      : [];
  });
}

/**
 * What is wrong with a bundle that loads: everything the gateway would warn of, and rules that can never
 * match or never allow. What rules are about is only judged against a catalog that has something.
 *
 * @param approvers names of the configuration's approvers; `null` where it is not known
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a bundle that does not load.
 */
export function lintBundle(
  bundle: PolicyBundle,
  catalog: PolicyCatalog,
  approvers: readonly string[] | null = null,
): readonly string[] {
  for (const [path, text] of [...bundle.cedarFiles, ["schema.cedarschema", bundle.schemaText] as const])
    checkNesting(path, text);
  const files = [...bundle.cedarFiles];
  const outline = outlineOf(catalog);
  const plan = planBundle({ files, schemaText: bundle.schemaText, catalog: outline, history: bundle.history });
  const policies = parsePolicies(files);
  const findings = [
    ...plan.warnings,
    ...sharedIds(policies),
    ...(approvers === null ? [] : unapprovable(policies, approvers)),
  ];
  const reach = new Reach(plan, outline);
  return reach.isEmpty
    ? findings
    : [...findings, ...unmatched(plan, policies, reach), ...overruled(plan, policies, reach)];
}
