import type { SchemaJson, Type, TypeOfAttribute } from "@cedar-policy/cedar-wasm/nodejs";
import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { CALL_TOOL } from "../compile/shape.ts";
import type { AttributeRead } from "../compile/references.ts";
import type { BundleShape } from "../compiled.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS, RESOURCE_FACTS, type FactKind, type FactTable } from "../facts.ts";

/** What the built-in schema needs to know of a catalog tool. */
export interface ToolOutline {
  readonly toolName: string;
  readonly actionName: string;
  readonly inputSchema: JsonObject;
}

type Attributes = Record<string, TypeOfAttribute<string>>;

function cedarType(kind: FactKind): Type<string> {
  if (kind === "Set") return { type: "Set", element: { type: "String" } };
  return { type: kind === "Bool" ? "Boolean" : kind };
}

/** The facts of a table that some rule reads. */
function factAttributes(variable: string, table: FactTable, reads: readonly AttributeRead[]): Attributes {
  const attributes: Attributes = {};
  for (const [name, fact] of table) {
    if (!fact.sourced || !reads.some((read) => read.variable === variable && read.path[0] === name)) continue;
    attributes[name] = { ...cedarType(fact.kind), required: name !== "user_identity" };
  }
  return attributes;
}

const SCALARS: ReadonlyMap<JsonValue | undefined, FactKind> = new Map<JsonValue | undefined, FactKind>([
  ["string", "String"],
  ["integer", "Long"],
  ["boolean", "Bool"],
]);

/** Cedar type of a JSON Schema property; `undefined` where there is no exact counterpart. */
function propertyKind(property: JsonValue | undefined): FactKind | undefined {
  if (!isJsonObject(property)) return undefined;
  if (property.type === "array") return isJsonObject(property.items) && property.items.type === "string" ? "Set" : undefined;
  return SCALARS.get(property.type);
}

function propertyOf(tool: ToolOutline, name: string): JsonValue | undefined {
  const properties = tool.inputSchema.properties;
  return isJsonObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
}

function requires(tool: ToolOutline, name: string): boolean {
  return Array.isArray(tool.inputSchema.required) && tool.inputSchema.required.includes(name);
}

/** Arguments that rules read, with the one type all approved tools give them; where tools differ there is none. */
function argumentKinds(tools: readonly ToolOutline[], reads: readonly AttributeRead[]): ReadonlyMap<string, FactKind> {
  const names = new Set(reads.flatMap(({ variable, path }) => (variable === "context" && path[0] === "arguments" && path[1] !== undefined ? [path[1]] : [])));
  const kinds = new Map<string, FactKind>();
  for (const name of names) {
    const properties = tools.map((tool) => propertyOf(tool, name)).filter((property) => property !== undefined);
    const found = new Set(properties.map(propertyKind));
    const [kind] = found;
    if (found.size === 1 && kind !== undefined) kinds.set(name, kind);
  }
  return kinds;
}

function argumentRecord(tools: readonly ToolOutline[], kinds: ReadonlyMap<string, FactKind>): Attributes {
  const attributes: Attributes = {};
  // A tool that does not declare an argument may still be sent it, so it is optional there, not absent.
  for (const [name, kind] of kinds) attributes[name] = { ...cedarType(kind), required: tools.length > 0 && tools.every((tool) => requires(tool, name)) };
  return attributes;
}

/**
 * The gateway's own schema of a shape: the facts and arguments that the rules read, arguments typed by the
 * approved input schemas. Used where a bundle's schema does not describe its rules.
 *
 * @param extraActions - actions the rules name that no tool gives
 */
export function builtinSchema(shape: BundleShape, tools: readonly ToolOutline[], reads: readonly AttributeRead[], extraActions: readonly string[]): SchemaJson<string> {
  const kinds = argumentKinds(tools, reads);
  const readsArguments = reads.some(({ variable, path }) => variable === "context" && path[0] === "arguments");
  const principal = { shape: { type: "Record" as const, attributes: factAttributes("principal", PRINCIPAL_FACTS, reads) } };
  const resource = { shape: { type: "Record" as const, attributes: factAttributes("resource", RESOURCE_FACTS, reads) } };
  const facts = factAttributes("context", CONTEXT_FACTS, reads);
  const action = (principalType: string, appliesTools: readonly ToolOutline[]) => {
    const carried = readsArguments ? { arguments: { type: "Record" as const, attributes: argumentRecord(appliesTools, kinds) } } : {};
    return { appliesTo: { principalTypes: [principalType], resourceTypes: ["Resource"], context: { type: "Record" as const, attributes: { ...facts, ...carried } } } };
  };
  if (shape === "call_tool") {
    return { cMCP: { entityTypes: { Principal: principal, Resource: resource }, actions: { [CALL_TOOL]: action("Principal", tools) } } };
  }
  const actions: Record<string, ReturnType<typeof action>> = {};
  for (const id of extraActions) actions[id] = action("Agent", []);
  for (const tool of tools) actions[tool.actionName] = action("Agent", [tool]);
  return { "": { entityTypes: { Agent: principal, Resource: resource }, actions } };
}
