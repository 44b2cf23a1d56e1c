import type { PolicyJson, SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { BundleShape } from "../compiled.ts";
import { SHAPE_TYPES } from "./shape.ts";
import type { resourcesOf } from "./governed.ts";

/** The rules whose scope names one entity by a literal. */
export interface ResourceRules {
  /** The one action that requests about it have; `null` where there are several. */
  readonly action: string | null;
  /** By policy id, with the actions the scope names by literals; `null` where it does not. */
  readonly rules: readonly { readonly id: string; readonly actions: ReadonlySet<string> | null }[];
}

/**
 * Rules by what their scopes name. Any other rule (not general, not of a request's action and not of its resource)
 * has a scope that the request cannot match. Leaving it out changes neither decision nor determining rules nor
 * errors.
 */
export interface ScopeIndex {
  /** Rules whose scope names neither an action nor a resource by a literal: they belong to every request. */
  readonly general: readonly string[];
  /** Rules whose scope names actions by literals, and no resource. */
  readonly byAction: ReadonlyMap<string, readonly string[]>;
  /** One member for everything in the catalog, by {@link resourceKey}. */
  readonly byResource: ReadonlyMap<string, ResourceRules>;
}

type Constraint = PolicyJson["action"] | PolicyJson["resource"];
type Entity = Readonly<{ type: string; id: string }>;

/** A key for an entity; types have no spaces. */
export function resourceKey({ type, id }: Entity): string {
  return `${type} ${id}`;
}

/** An entity literal of a policy's JSON, which may stand inside `__entity`. */
function literal(value: unknown): Entity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("__entity" in value) return literal(value.__entity);
  return "type" in value && "id" in value && typeof value.type === "string" && typeof value.id === "string"
    ? { type: value.type, id: value.id }
    : undefined;
}

/** Entity literals a scope constraint restricts to; `null` where it does not, or not by literals alone. */
function literals(constraint: Constraint): readonly Entity[] | null {
  // `is T in E` holds its `in` inside; without one it restricts to a type, which is no literal.
  const at: unknown = constraint.op === "is" ? constraint.in : constraint;
  if (typeof at !== "object" || at === null) return null;
  const one = literal("entity" in at ? at.entity : undefined);
  if (one !== undefined) return [one];
  const many = "entities" in at && Array.isArray(at.entities) ? at.entities.map(literal) : [];
  return many.length > 0 && many.every((entity) => entity !== undefined) ? many : null;
}

/** Whether actions can be members of other actions: then `action in` reaches further than the ids it names. */
function hasActionGroups(schema: SchemaJson<string>): boolean {
  return Object.values(schema).some(({ actions }) =>
    Object.values(actions).some(({ memberOf }) => (memberOf ?? []).length > 0),
  );
}

function actionsNamed(constraint: Constraint, type: string): ReadonlySet<string> | null {
  const entities = literals(constraint);
  return entities === null ? null : new Set(entities.flatMap((entity) => (entity.type === type ? [entity.id] : [])));
}

/**
 * Sorts rules by what their `==` and `in` scopes on resource and action name. Requests carry entities without
 * parents, so `in` is `==` there.
 */
export function indexScopes(
  policies: readonly { readonly id: string; readonly json: PolicyJson }[],
  shape: BundleShape,
  resources: ReturnType<typeof resourcesOf>,
  schema: SchemaJson<string>,
): ScopeIndex {
  const grouped = hasActionGroups(schema);
  const general: string[] = [];
  const byAction = new Map<string, string[]>();
  const byResource = new Map(
    resources.map((resource) => [
      resourceKey(resource),
      { action: resource.action, rules: [] as { id: string; actions: ReadonlySet<string> | null }[] },
    ]),
  );
  for (const { id, json } of policies) {
    const resources = literals(json.resource);
    const actions = grouped && json.action.op !== "==" ? null : actionsNamed(json.action, SHAPE_TYPES[shape].action);
    if (resources !== null)
      for (const key of new Set(resources.map(resourceKey))) byResource.get(key)?.rules.push({ id, actions });
    else if (actions === null) general.push(id);
    else for (const action of actions) byAction.set(action, [...(byAction.get(action) ?? []), id]);
  }
  return { general, byAction, byResource };
}

/**
 * The schema with no other action than `action`; validating a request costs time for every action the schema has.
 * Action groups need all.
 */
export function schemaOfAction(schema: SchemaJson<string>, action: string): SchemaJson<string> {
  if (hasActionGroups(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([namespace, definition]) => [
      namespace,
      {
        ...definition,
        actions: Object.fromEntries(Object.entries(definition.actions).filter(([id]) => id === action)),
      },
    ]),
  );
}
