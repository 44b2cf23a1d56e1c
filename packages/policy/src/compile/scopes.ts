import type { PolicyJson, SchemaJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { BundleShape } from "../compiled.ts";
import { SHAPE_TYPES } from "./shape.ts";

/** The rules that can apply to a call of one tool, by policy id, beside the general ones. */
export interface ToolRules {
  /** The action that requests for this tool have under per-tool actions. */
  readonly actionName: string;
  readonly rules: readonly string[];
}

/**
 * Rules by the tools their scopes name. Whatever is not in a tool's part and not general has a scope that no
 * request for that tool can match, so leaving it out changes neither decision nor determining rules nor errors.
 */
export interface ScopeIndex {
  /** Rules whose scope names no tool by a literal: they belong to every call. */
  readonly general: readonly string[];
  /** One member for every tool of the catalog. */
  readonly byTool: ReadonlyMap<string, ToolRules>;
}

interface Tool {
  readonly toolName: string;
  readonly actionName: string;
}

type Constraint = PolicyJson["action"] | PolicyJson["resource"];
type Entity = Readonly<{ type: string; id: string }>;

/** An entity literal of a policy's JSON, which may stand inside `__entity`. */
function literal(value: unknown): Entity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("__entity" in value) return literal(value.__entity);
  return "type" in value && "id" in value && typeof value.type === "string" && typeof value.id === "string" ? { type: value.type, id: value.id } : undefined;
}

/** Entity literals a scope constraint restricts to; `null` where it does not, or not by literals alone. */
function literals(constraint: Constraint): readonly Entity[] | null {
  // `is T in E` holds its `in` inside; without one it restricts to a type, which every request has.
  const at: unknown = constraint.op === "is" ? constraint.in : constraint;
  if (typeof at !== "object" || at === null) return null;
  const one = literal("entity" in at ? at.entity : undefined);
  if (one !== undefined) return [one];
  const many = "entities" in at && Array.isArray(at.entities) ? at.entities.map(literal) : [];
  return many.length > 0 && many.every((entity) => entity !== undefined) ? many : null;
}

/** Whether actions can be members of other actions: then `action in` reaches further than the ids it names. */
function hasActionGroups(schema: SchemaJson<string>): boolean {
  return Object.values(schema).some(({ actions }) => Object.values(actions).some(({ memberOf }) => (memberOf ?? []).length > 0));
}

function named(constraint: Constraint, type: string): ReadonlySet<string> | null {
  const entities = literals(constraint);
  return entities === null ? null : new Set(entities.flatMap((entity) => (entity.type === type ? [entity.id] : [])));
}

/** Sorts rules by the tools that their `==` and `in` scopes on resource and action name. Requests carry entities without parents, so `in` is `==` there. */
export function indexScopes(policies: readonly { readonly id: string; readonly json: PolicyJson }[], shape: BundleShape, tools: readonly Tool[], schema: SchemaJson<string>): ScopeIndex {
  const types = SHAPE_TYPES[shape];
  const grouped = hasActionGroups(schema);
  const general: string[] = [];
  const rules = new Map(tools.map(({ toolName }) => [toolName, [] as string[]]));
  const byAction = Map.groupBy(tools, (tool) => tool.actionName);
  for (const { id, json } of policies) {
    const resources = named(json.resource, types.resource);
    // Under call_tool every request has the one action, so an action's literal tells no tools apart.
    const actions = shape === "call_tool" || (grouped && json.action.op !== "==") ? null : named(json.action, types.action);
    if (resources === null && actions === null) {
      general.push(id);
      continue;
    }
    const candidates = actions === null ? tools.filter(({ toolName }) => resources?.has(toolName)) : [...actions].flatMap((action) => byAction.get(action) ?? []);
    for (const { toolName } of candidates) if (resources?.has(toolName) ?? true) rules.get(toolName)?.push(id);
  }
  return { general, byTool: new Map(tools.map(({ toolName, actionName }) => [toolName, { actionName, rules: rules.get(toolName) ?? [] }])) };
}

/** The schema with no other action than `action`; validating a request costs time for every action the schema has. Action groups need all. */
export function schemaOfAction(schema: SchemaJson<string>, action: string): SchemaJson<string> {
  if (hasActionGroups(schema)) return schema;
  return Object.fromEntries(Object.entries(schema).map(([namespace, definition]) => [namespace, { ...definition, actions: Object.fromEntries(Object.entries(definition.actions).filter(([id]) => id === action)) }]));
}
