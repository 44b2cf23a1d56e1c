import type { Policy, SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { HistoryDeclaration } from "../bundle/history.ts";
import type { BundleShape } from "../compiled.ts";
import { DELIVER_RESULT } from "../actions.ts";
import { SENSITIVITY_ATTRIBUTES } from "../fact-tables.ts";
import { builtinSchema, type CatalogOutline } from "../schema/builtin.ts";
import { describeSchema } from "../schema/describe.ts";
import { fitSchema } from "../schema/fit.ts";
import { parseSchema } from "../schema/parse.ts";
import { FACTS_BY_TYPE, type Projection } from "../schema/projection.ts";
import type { Rule } from "../verdict.ts";
import { resourcesOf } from "./governed.ts";
import { parsePolicies, type ParsedPolicy } from "./policies.ts";
import { indexScopes, type ScopeIndex } from "./scopes.ts";
import { checkNames, SHAPE_TYPES, shapeOf, type KnownNames } from "./shape.ts";
import { findProblems } from "./validate.ts";

/** What the compile worker is given. */
export interface CompileInput {
  readonly files: readonly (readonly [path: string, text: string])[];
  readonly schemaText: string;
  readonly catalog: CatalogOutline;
  readonly history: readonly HistoryDeclaration[];
}

/** Everything the engine and the projection need; plain data, so that a worker can hand it over. */
export interface CompilePlan {
  readonly shape: BundleShape;
  readonly warnings: readonly string[];
  readonly schema: SchemaJson<string>;
  readonly policies: Readonly<Record<string, Policy>>;
  readonly rules: ReadonlyMap<string, Rule>;
  readonly projection: Projection;
  readonly scopes: ScopeIndex;
  /** `variable.attribute` for what rules read, and the variable alone where one is used as a value. */
  readonly reads: ReadonlySet<string>;
  readonly decidesDelivery: boolean;
}

const MAX_WARNINGS = 200;
const MAX_REASONS = 10;

type Chosen = Pick<CompilePlan, "schema" | "projection"> & {
  readonly problems: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
};

/** The bundle's own schema, when it parses, fits the gateway and describes every rule; else why not. */
function withOwnSchema(
  shape: BundleShape,
  policies: readonly ParsedPolicy[],
  actions: readonly string[],
  parsed: ReturnType<typeof parseSchema>,
): Chosen | readonly string[] {
  if (!parsed.ok) return [parsed.why];
  const reads = policies.flatMap((policy) => policy.references.reads);
  const fit = fitSchema(describeSchema(parsed.schema), shape, actions, reads);
  if (fit.problems.length > 0) return fit.problems;
  const { problems, warnings } = findProblems(parsed.schema, fit.projection, policies);
  if (problems.size > 0) return [...problems].map(([id, why]) => `${id} ${why}`);
  return { schema: parsed.schema, projection: fit.projection, problems, warnings: [...fit.warnings, ...warnings] };
}

/** Actions that the rules name. */
export function namedActions(shape: BundleShape, policies: readonly ParsedPolicy[]): readonly string[] {
  return policies.flatMap((policy) =>
    policy.references.entities.flatMap(({ type, id }) =>
      type === SHAPE_TYPES[shape].action && id !== null ? [id] : [],
    ),
  );
}

/**
 * The built-in schema; rules it cannot make sense of either stay in `problems`. It declares no action that only rules
 * without a name for it would cover.
 */
function withBuiltinSchema(shape: BundleShape, policies: readonly ParsedPolicy[], catalog: CatalogOutline): Chosen {
  const actions = catalog.tools.map((tool) => tool.actionName);
  const reads = policies.flatMap((policy) => policy.references.reads);
  const schema = builtinSchema(shape, catalog, reads, namedActions(shape, policies));
  const { projection } = fitSchema(describeSchema(schema), shape, actions, reads);
  return { schema, projection, ...findProblems(schema, projection, policies) };
}

const FIX: Readonly<Record<BundleShape, string>> = {
  call_tool: `declare entities Principal and Resource and action call_tool in namespace cMCP there, with every attribute the rules read`,
  "per-tool-action": `declare entities Agent and Resource and an action per tool there, with every attribute the rules read, or write the rules with cMCP::Principal, cMCP::Action::"call_tool" and cMCP::Resource`,
};

function schemaWarning(shape: BundleShape, policies: readonly ParsedPolicy[], why: readonly string[]): string {
  const naming = policies.find((policy) => policy.references.entities.length > 0);
  const rules = naming === undefined ? "the rules" : `the rules, such as ${naming.id}`;
  return `schema.cedarschema does not describe ${rules}: ${why.slice(0, MAX_REASONS).join("; ")}. The built-in schema is used instead. To correct it, ${FIX[shape]}`;
}

/** A rule as the engine evaluates it: a permit that cannot be trusted grants nothing, a forbid denies its whole scope. */
function enginePolicy(policy: ParsedPolicy, problem: string | undefined): Policy | undefined {
  if (problem === undefined) return policy.text;
  return policy.json.effect === "permit" ? undefined : { ...policy.json, conditions: [] };
}

function problemWarning(policy: ParsedPolicy, problem: string): string {
  const effect = policy.json.effect === "permit" ? "it grants nothing" : "every call in its scope is denied";
  return `${policy.id} ${problem}; until the rule or schema.cedarschema is corrected ${effect}`;
}

/** Whether a bundle speaks of delivery: by a rule that names the action, or by a schema that declares it. */
function decidesDelivery(shape: BundleShape, policies: readonly ParsedPolicy[], { contexts }: Projection): boolean {
  return (
    shape === "call_tool" && (contexts.has(DELIVER_RESULT) || namedActions(shape, policies).includes(DELIVER_RESULT))
  );
}

/** Whether a rule names delivery or no action at all. */
function mayDeliver(shape: BundleShape, policy: ParsedPolicy): boolean {
  const named = namedActions(shape, [policy]);
  return named.length === 0 || named.includes(DELIVER_RESULT);
}

/** Why a rule reads a count that nobody keeps; `undefined` where every one is declared. */
function undeclaredHistory({ references }: ParsedPolicy, declared: readonly HistoryDeclaration[]): string | undefined {
  const unknown = references.reads.find(
    ({ variable, path: [fact, name] }) =>
      variable === "context" && fact === "history" && !declared.some((one) => one.name === name),
  );
  return unknown === undefined
    ? undefined
    : `reads ${["context", ...unknown.path].join(".")}, which manifest.json does not declare under history`;
}

/** Declarations about a tool, prompt or resource that the catalog does not have. An empty catalog has none, and nothing is known then. */
function unknownTargets(
  declared: readonly HistoryDeclaration[],
  { tools, resources, prompts }: CatalogOutline,
): readonly string[] {
  const known = new Set([
    ...tools.map(({ toolName }) => toolName),
    ...resources.map(({ id }) => id),
    ...prompts.map(({ promptName }) => promptName),
  ]);
  return declared.flatMap(({ name, tool }) =>
    tool === undefined || known.size === 0 || known.has(tool)
      ? []
      : [`manifest.json: history ${name} counts ${tool}, which the catalog does not have`],
  );
}

function ruleOf(policy: ParsedPolicy): Rule {
  const readsSensitivity = policy.references.reads.some(
    ({ variable, path }) => variable === "context" && SENSITIVITY_ATTRIBUTES.has(path[0] ?? ""),
  );
  return { ...policy.rule, readsSensitivity };
}

/** Everything a catalog has, by Cedar type. Of a type that it has nothing of, nothing is known, and every name is missing. */
function knownNames(resources: ReturnType<typeof resourcesOf>): KnownNames {
  if (resources.length === 0) return new Map();
  const ids = Map.groupBy(resources, ({ type }) => type);
  return new Map([...FACTS_BY_TYPE.keys()].map((type) => [type, new Set(ids.get(type)?.map(({ id }) => id))]));
}

/**
 * Parses and checks a bundle and decides what the engine will be given. Runs in a disposable worker.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`.
 */
export function planBundle(input: CompileInput): CompilePlan {
  const policies = parsePolicies(input.files);
  const { catalog } = input;
  const actions = catalog.tools.map((tool) => tool.actionName);
  const parsed = parseSchema(input.schemaText);
  const shape = shapeOf(policies, parsed.ok ? describeSchema(parsed.schema) : undefined);
  const resources = resourcesOf(shape, catalog);
  const warnings = [
    ...checkNames(policies, new Set(actions), knownNames(resources)),
    ...unknownTargets(input.history, catalog),
  ];
  const own = withOwnSchema(shape, policies, actions, parsed);
  const chosen = "schema" in own ? own : withBuiltinSchema(shape, policies, catalog);
  if (!("schema" in own)) warnings.unshift(schemaWarning(shape, policies, own));
  warnings.push(...chosen.warnings);
  const enginePolicies: Record<string, Policy> = {};
  for (const policy of policies) {
    const problem = chosen.problems.get(policy.id) ?? undeclaredHistory(policy, input.history);
    if (problem !== undefined) warnings.push(problemWarning(policy, problem));
    const evaluated = enginePolicy(policy, problem);
    if (evaluated !== undefined) enginePolicies[policy.id] = evaluated;
  }
  const delivers = decidesDelivery(shape, policies, chosen.projection);
  if (delivers && !policies.some((policy) => policy.json.effect === "permit" && mayDeliver(shape, policy)))
    warnings.push(`no rule permits ${DELIVER_RESULT}, of which the bundle speaks: every result is withheld`);
  if (!policies.some((policy) => policy.json.effect === "permit"))
    warnings.push("no rule permits anything: every call is denied");
  const shown =
    warnings.length > MAX_WARNINGS
      ? [...warnings.slice(0, MAX_WARNINGS), `${warnings.length - MAX_WARNINGS} more warnings`]
      : warnings;
  return {
    shape,
    warnings: shown,
    schema: chosen.schema,
    policies: enginePolicies,
    rules: new Map(policies.map((policy) => [policy.id, ruleOf(policy)])),
    projection: chosen.projection,
    reads: new Set(
      policies.flatMap(({ references }) =>
        references.reads.map(({ variable, path: [name] }) => (name === undefined ? variable : `${variable}.${name}`)),
      ),
    ),
    decidesDelivery: delivers,
    scopes: indexScopes(
      policies.filter(({ id }) => id in enginePolicies),
      shape,
      resources,
      chosen.schema,
    ),
  };
}
