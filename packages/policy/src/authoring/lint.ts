import type { PolicyBundle } from "../bundle/index.ts";
import { checkNesting } from "../compile/nesting.ts";
import { planBundle, type CompilePlan } from "../compile/plan.ts";
import { parsePolicies, type ParsedPolicy } from "../compile/policies.ts";
import type { ToolOutline } from "../schema/builtin.ts";

function isForAll(constraint: ParsedPolicy["json"]["principal"]): boolean {
  return constraint.op === "All";
}

/** Names of the tools whose calls a rule's scope can match. */
function toolsOf(plan: CompilePlan, id: string): ReadonlySet<string> {
  const everywhere = plan.scopes.general.includes(id);
  return new Set([...plan.scopes.byTool].flatMap(([name, { rules }]) => (everywhere || rules.includes(id) ? [name] : [])));
}

function sharedIds(policies: readonly ParsedPolicy[]): string[] {
  const byLabel = Map.groupBy(policies, ({ rule }) => rule.label);
  return [...byLabel].flatMap(([label, sharing]) => (sharing.length > 1 ? [`${sharing.map(({ id }) => id).join(", ")} share the @id ${label}: a record that names it does not say which rule decided`] : []));
}

/** Rules whose scope no call of a catalog tool can match. */
function unmatched(plan: CompilePlan, policies: readonly ParsedPolicy[]): string[] {
  return policies.flatMap(({ id }) => (id in plan.policies && toolsOf(plan, id).size === 0 ? [`${id} never matches: its scope names no tool of the catalog`] : []));
}

/** Permits that one forbid without conditions covers in full, so that they never allow anything. */
function overruled(plan: CompilePlan, policies: readonly ParsedPolicy[]): string[] {
  const forbids = policies.filter(({ id, json }) => id in plan.policies && json.effect === "forbid" && json.conditions.length === 0 && isForAll(json.principal));
  return policies.flatMap(({ id, json }) => {
    const tools = json.effect === "permit" && id in plan.policies ? [...toolsOf(plan, id)] : [];
    const by = tools.length === 0 ? undefined : forbids.find((forbid) => tools.every((name) => toolsOf(plan, forbid.id).has(name)));
    return by === undefined ? [] : [`${id} never allows anything: ${by.id} forbids every call it permits`];
  });
}

/**
 * What is wrong with a bundle that loads: everything the gateway would warn of, and rules that can never
 * match or never allow. Rules about tools are only judged when there are tools.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a bundle that does not load.
 */
export function lintBundle(bundle: PolicyBundle, tools: readonly ToolOutline[]): readonly string[] {
  for (const [path, text] of [...bundle.cedarFiles, ["schema.cedarschema", bundle.schemaText] as const]) checkNesting(path, text);
  const files = [...bundle.cedarFiles];
  const plan = planBundle({ files, schemaText: bundle.schemaText, tools });
  const policies = parsePolicies(files);
  const findings = [...plan.warnings, ...sharedIds(policies)];
  return tools.length === 0 ? findings : [...findings, ...unmatched(plan, policies), ...overruled(plan, policies)];
}
