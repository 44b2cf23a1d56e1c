import { ACTIONS, CALL_TOOL, isGovernedAction } from "../actions.ts";
import { SHAPE_TYPES } from "../compile/shape.ts";
import type { BundleShape } from "../compiled.ts";
import type { AttributeRead } from "../compile/references.ts";
import { memberType, type FactType } from "../fact-type.ts";
import { isFactOf, type Fact, type FactTable } from "../fact.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS } from "../fact-tables.ts";
import type { ActionDescription, AttributeMap, SchemaDescription, TypeDescription } from "./describe.ts";
import {
  FACTS_BY_TYPE,
  type ContextProjection,
  type PlannedAttribute,
  type ProjectedType,
  type Projection,
} from "./projection.ts";

/** A schema held against what the gateway can supply. */
export interface SchemaFit {
  readonly projection: Projection;
  /** Why requests built for this schema would not be what its author meant; empty when it fits. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

// The engine's JSON, or JavaScript, gives these keys a meaning of their own.
const RESERVED: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr", "__proto__"]);

/** How a declared type is filled from a fact; `undefined` where the gateway has no value of that type. */
function factType(declared: TypeDescription, supplied: FactType): ProjectedType | undefined {
  if (declared.kind === "Set") {
    const element = supplied.kind === "Set" ? factType(declared.element, supplied.element) : undefined;
    return element === undefined ? undefined : { kind: "Set", element };
  }
  if (declared.kind === "Record") {
    if (supplied.kind !== "Record") return undefined;
    const attributes: PlannedAttribute[] = [];
    for (const [name, { type, required }] of declared.attributes) {
      const member = memberType(supplied, name);
      const as = member === undefined ? undefined : factType(type, member);
      if (as === undefined) return undefined;
      attributes.push({ name, required, type: as });
    }
    return { kind: "Record", attributes };
  }
  return declared.kind === supplied.kind ? { kind: declared.kind } : undefined;
}

/** A fact's type in words of Cedar. */
export function typeText(type: FactType): string {
  if (type.kind === "Set") return `Set<${typeText(type.element)}>`;
  if (type.kind !== "Record") return type.kind;
  const members = Array.from(type.members, ([name, member]) => `${name}: ${typeText(member)}`);
  return `{${[...members, ...(type.others === undefined ? [] : [`…: ${typeText(type.others)}`])].join(", ")}}`;
}

/** The gateway's counterpart of a declared argument type, else `undefined`. */
function argumentType(
  type: TypeDescription,
  wanted: readonly AttributeRead[],
  depth: number,
  problems: string[],
): ProjectedType | undefined {
  if (type.kind === "String" || type.kind === "Long" || type.kind === "Bool") return { kind: type.kind };
  if (type.kind === "Set")
    return type.element.kind === "String" || type.element.kind === "Long" || type.element.kind === "Bool"
      ? { kind: "Set", element: { kind: type.element.kind } }
      : undefined;
  return type.kind === "Record"
    ? { kind: "Record", attributes: planArguments(type.attributes, wanted, depth + 1, problems) }
    : undefined;
}

function planArguments(
  declared: AttributeMap,
  reads: readonly AttributeRead[],
  depth: number,
  problems: string[],
): readonly PlannedAttribute[] {
  const planned: PlannedAttribute[] = [];
  for (const [name, { type, required }] of declared) {
    if (RESERVED.has(name))
      problems.push(`it declares an argument named ${name}, which the engine would take for something else`);
    const wanted = reads.filter((read) => read.path[depth] === name);
    if (!required && wanted.length === 0) continue;
    const as = argumentType(type, wanted, depth, problems);
    if (as !== undefined) planned.push({ name, required, type: as });
    else if (required) problems.push(`it requires argument ${name} with a type that no JSON argument has`);
  }
  return planned;
}

/** Where facts stand, and which there are. */
interface FactPlace {
  readonly where: string;
  readonly table: FactTable;
  /** The action whose requests these are facts of; absent for an entity's, `null` where a tool has its own. */
  readonly action?: string | null;
}

function planFacts(
  { where, table, action = null }: FactPlace,
  declared: AttributeMap,
  reads: readonly AttributeRead[],
  problems: string[],
): readonly PlannedAttribute[] {
  const planned: PlannedAttribute[] = [];
  for (const [name, { type, required }] of declared) {
    const known = table.get(name);
    const fact = known !== undefined && isFactOf(known, action) ? known : undefined;
    const as = fact === undefined ? undefined : factType(type, fact.type);
    if (as !== undefined && (required || reads.some((read) => read.path[0] === name)))
      planned.push({ name, required, type: as });
    if (as === undefined && required) problems.push(`it requires ${where}.${name}${whyNot(known, fact)}`);
  }
  return planned;
}

function whyNot(known: Fact | undefined, fact: Fact | undefined): string {
  if (known === undefined) return ", which the gateway does not supply";
  if (fact !== undefined) return ` with another type than ${typeText(fact.type)}`;
  return `, which only requests of action ${(known.on ?? []).map((id) => `"${id}"`).join(" or ")} have`;
}

function planContext(
  action: string | null,
  context: AttributeMap,
  reads: readonly AttributeRead[],
  problems: string[],
): ContextProjection {
  const facts = new Map(context);
  const declared = facts.get("arguments");
  facts.delete("arguments");
  if (declared !== undefined && declared.type.kind !== "Record")
    problems.push("it declares context.arguments as something else than a record");
  return {
    facts: planFacts({ where: "context", table: CONTEXT_FACTS, action }, facts, reads, problems),
    arguments:
      declared?.type.kind === "Record"
        ? planArguments(
            declared.type.attributes,
            reads.filter((read) => read.path[0] === "arguments"),
            1,
            problems,
          )
        : null,
  };
}

/** An action of the schema that requests have, and the types of what they are about. */
interface RequestAction {
  readonly action: ActionDescription;
  readonly types: readonly string[];
}

/** Actions a request of this shape can have: action id to the schema's description of it. */
function requestActions(
  schema: SchemaDescription,
  shape: BundleShape,
  actions: readonly string[],
): ReadonlyMap<string, RequestAction> {
  const prefix = `${SHAPE_TYPES[shape].action}::`;
  // Without a catalog, as when a bundle is checked by itself, the schema's own actions are what there is to check.
  const declared =
    actions.length > 0
      ? actions
      : [...schema.actions.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  const wanted = shape === "call_tool" ? Object.keys(ACTIONS) : declared;
  const found = new Map<string, RequestAction>();
  for (const id of wanted) {
    const action = schema.actions.get(`${prefix}${id}`);
    if (action !== undefined)
      found.set(id, {
        action,
        types: shape === "call_tool" && isGovernedAction(id) ? ACTIONS[id] : [SHAPE_TYPES[shape].resource],
      });
  }
  return found;
}

/** What of the schema's actions can be used. A further action that says something else than ours would is left out, with a warning. */
function usableActions(
  found: ReadonlyMap<string, RequestAction>,
  shape: BundleShape,
  problems: string[],
  warnings: string[],
): ReadonlyMap<string, RequestAction> {
  const { principal } = SHAPE_TYPES[shape];
  const usable = new Map<string, RequestAction>();
  for (const [id, { action, types }] of found) {
    const joined = types.filter((type) => action.resources.includes(type));
    const fits = action.principals.includes(principal) && joined.length > 0;
    const further = shape === "call_tool" && id !== CALL_TOOL;
    const why = `action "${id}" does not apply to ${principal} and ${types.join(" or ")}`;
    if (!fits && !further) problems.push(`its ${why}`);
    if (!fits && further) warnings.push(`schema.cedarschema: ${why}: such requests are denied`);
    if (fits || !further) usable.set(id, { action, types: joined });
  }
  return usable;
}

/**
 * Holds a schema against what the gateway can supply for a shape, and plans what is projected.
 *
 * @param actions - action ids of the catalog's tools
 * @param reads - attribute reads of all rules that will be evaluated
 */
export function fitSchema(
  schema: SchemaDescription,
  shape: BundleShape,
  actions: readonly string[],
  reads: readonly AttributeRead[],
): SchemaFit {
  const problems: string[] = [];
  const warnings: string[] = [];
  const types = SHAPE_TYPES[shape];
  const of = (variable: string): readonly AttributeRead[] => reads.filter((read) => read.variable === variable);
  const entity = (type: string, where: string, table: FactTable): readonly PlannedAttribute[] => {
    const declared = schema.entities.get(type);
    if (declared === undefined) problems.push(`it does not declare entity type ${type}`);
    return planFacts({ where, table }, declared ?? new Map(), of(where), problems);
  };
  const found = requestActions(schema, shape, actions);
  const usable = usableActions(found, shape, problems, warnings);
  const contexts = new Map(
    Array.from(usable, ([id, { action }]) => [
      id,
      planContext(shape === "call_tool" ? id : null, action.context, of("context"), problems),
    ]),
  );
  if (shape === "call_tool" && !found.has(CALL_TOOL))
    problems.push(`it does not declare action ${types.action}::"${CALL_TOOL}"`);
  if (found.size === 0 && shape === "per-tool-action") problems.push("it declares no action of a tool in the catalog");
  const missing = shape === "call_tool" || found.size === 0 ? [] : actions.filter((id) => !found.has(id));
  const joined = new Set([types.resource, ...Array.from(usable.values(), (one) => one.types).flat()]);
  return {
    projection: {
      principal: entity(types.principal, "principal", PRINCIPAL_FACTS),
      resources: new Map(
        Array.from(joined, (type) => [type, entity(type, "resource", FACTS_BY_TYPE.get(type) ?? new Map())]),
      ),
      contexts,
    },
    problems: [...new Set(problems)],
    warnings: [
      ...warnings,
      ...missing.map(
        (id) => `schema.cedarschema does not declare Action::"${id}": calls of that tool are denied until it does`,
      ),
    ],
  };
}
