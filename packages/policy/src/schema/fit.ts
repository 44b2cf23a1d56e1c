import { CALL_TOOL, SHAPE_TYPES } from "../compile/shape.ts";
import type { BundleShape } from "../compiled.ts";
import type { AttributeRead } from "../compile/references.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS, RESOURCE_FACTS, type FactTable } from "../facts.ts";
import type { ActionDescription, AttributeMap, SchemaDescription, TypeDescription } from "./describe.ts";
import type { ArgumentType, ContextProjection, PlannedArgument, PlannedFact, Projection } from "./projection.ts";

/** A schema held against what the gateway can supply. */
export interface SchemaFit {
  readonly projection: Projection;
  /** Why requests built for this schema would not be what its author meant; empty when it fits. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

// The engine's JSON, or JavaScript, gives these keys a meaning of their own.
const RESERVED: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr", "__proto__"]);

function kindMatches(type: TypeDescription, kind: string): boolean {
  return type.kind === kind && (type.kind !== "Set" || type.element.kind === "String");
}

/** The gateway's counterpart of a declared argument type, else `undefined`. */
function argumentType(type: TypeDescription, wanted: readonly AttributeRead[], depth: number, problems: string[]): ArgumentType | undefined {
  if (type.kind === "String" || type.kind === "Long" || type.kind === "Bool") return { kind: type.kind };
  if (type.kind === "Set") return type.element.kind === "String" || type.element.kind === "Long" || type.element.kind === "Bool" ? { kind: "Set", element: type.element.kind } : undefined;
  return type.kind === "Record" ? { kind: "Record", attributes: planArguments(type.attributes, wanted, depth + 1, problems) } : undefined;
}

function planArguments(declared: AttributeMap, reads: readonly AttributeRead[], depth: number, problems: string[]): readonly PlannedArgument[] {
  const planned: PlannedArgument[] = [];
  for (const [name, { type, required }] of declared) {
    if (RESERVED.has(name)) problems.push(`it declares an argument named ${name}, which the engine would take for something else`);
    const wanted = reads.filter((read) => read.path[depth] === name);
    if (!required && wanted.length === 0) continue;
    const as = argumentType(type, wanted, depth, problems);
    if (as !== undefined) planned.push({ name, required, type: as });
    else if (required) problems.push(`it requires argument ${name} with a type that no JSON argument has`);
  }
  return planned;
}

function planFacts(where: string, declared: AttributeMap, table: FactTable, reads: readonly AttributeRead[], problems: string[]): readonly PlannedFact[] {
  const planned: PlannedFact[] = [];
  for (const [name, { type, required }] of declared) {
    const fact = table.get(name);
    const supplied = fact !== undefined && kindMatches(type, fact.kind);
    if (supplied && (required || reads.some((read) => read.path[0] === name))) planned.push({ name, kind: fact.kind, required });
    if (!supplied && required) problems.push(`it requires ${where}.${name}${fact === undefined ? ", which the gateway does not supply" : ` with another type than ${fact.kind}`}`);
  }
  return planned;
}

function planContext(context: AttributeMap, reads: readonly AttributeRead[], problems: string[]): ContextProjection {
  const facts = new Map(context);
  const declared = facts.get("arguments");
  facts.delete("arguments");
  if (declared !== undefined && declared.type.kind !== "Record") problems.push("it declares context.arguments as something else than a record");
  return {
    facts: planFacts("context", facts, CONTEXT_FACTS, reads, problems),
    arguments: declared?.type.kind === "Record" ? planArguments(declared.type.attributes, reads.filter((read) => read.path[0] === "arguments"), 1, problems) : null,
  };
}

/** Actions a request of this shape can have: action id to the schema's description of it. */
function requestActions(schema: SchemaDescription, shape: BundleShape, actions: readonly string[]): ReadonlyMap<string, ActionDescription> {
  const prefix = `${SHAPE_TYPES[shape].action}::`;
  // Without a catalog, as when a bundle is checked by itself, the schema's own actions are what there is to check.
  const declared = actions.length > 0 ? actions : [...schema.actions.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  const wanted = shape === "call_tool" ? [CALL_TOOL] : declared;
  const found = new Map<string, ActionDescription>();
  for (const id of wanted) {
    const action = schema.actions.get(`${prefix}${id}`);
    if (action !== undefined) found.set(id, action);
  }
  return found;
}

/**
 * Holds a schema against what the gateway can supply for a shape, and plans what is projected.
 *
 * @param actions - action ids of the catalog's tools
 * @param reads - attribute reads of all rules that will be evaluated
 */
export function fitSchema(schema: SchemaDescription, shape: BundleShape, actions: readonly string[], reads: readonly AttributeRead[]): SchemaFit {
  const problems: string[] = [];
  const types = SHAPE_TYPES[shape];
  const of = (variable: string): readonly AttributeRead[] => reads.filter((read) => read.variable === variable);
  const entity = (type: string, where: string, table: FactTable): readonly PlannedFact[] => {
    const declared = schema.entities.get(type);
    if (declared === undefined) problems.push(`it does not declare entity type ${type}`);
    return planFacts(where, declared ?? new Map(), table, of(where), problems);
  };
  const contexts = new Map<string, ContextProjection>();
  const found = requestActions(schema, shape, actions);
  for (const [id, action] of found) {
    if (!action.principals.includes(types.principal) || !action.resources.includes(types.resource)) problems.push(`its action "${id}" does not apply to ${types.principal} and ${types.resource}`);
    contexts.set(id, planContext(action.context, of("context"), problems));
  }
  if (found.size === 0) problems.push(shape === "call_tool" ? `it does not declare action ${types.action}::"${CALL_TOOL}"` : "it declares no action of a tool in the catalog");
  const missing = shape === "call_tool" || found.size === 0 ? [] : actions.filter((id) => !found.has(id));
  return {
    projection: { principal: entity(types.principal, "principal", PRINCIPAL_FACTS), resource: entity(types.resource, "resource", RESOURCE_FACTS), contexts },
    problems: [...new Set(problems)],
    warnings: missing.map((id) => `schema.cedarschema does not declare Action::"${id}": calls of that tool are denied until it does`),
  };
}
