import type { SchemaJson, Type, TypeOfAttribute } from "@cedar-policy/cedar-wasm/nodejs";
import type { JsonObject } from "@cmcp/boundary";
import { ACTIONS, CALL_TOOL, isGovernedAction, type GovernedAction } from "../actions.ts";
import type { AttributeRead } from "../compile/references.ts";
import type { BundleShape } from "../compiled.ts";
import { memberType, type FactType } from "../fact-type.ts";
import { isFactOf, type FactTable } from "../fact.ts";
import { CONTEXT_FACTS, PRINCIPAL_FACTS, PROMPT_FACTS, RESOURCE_FACTS, TOOL_FACTS } from "../fact-tables.ts";
import { agreedType, textArguments, toolArguments, type ArgumentSource } from "./arguments.ts";

/** What the built-in schema needs to know of a catalog tool. */
export interface ToolOutline {
  readonly toolName: string;
  readonly actionName: string;
  readonly inputSchema: JsonObject;
}

/** What the built-in schema, and checks of names, need to know of a catalog. Plain data, for the compile worker. */
export interface CatalogOutline {
  readonly tools: readonly ToolOutline[];
  /** Resources and templates by URI or template text, with the template's variables. */
  readonly resources: readonly { readonly id: string; readonly variables: readonly string[] }[];
  readonly prompts: readonly {
    readonly promptName: string;
    readonly arguments: readonly string[];
    readonly required: readonly string[];
  }[];
}

type Attributes = Record<string, TypeOfAttribute<string>>;

/** @param paths what rules read below; of a record with members of the bundle's own, those are declared */
function cedarType(type: FactType, paths: readonly (readonly string[])[] = []): Type<string> {
  if (type.kind === "Set") return { type: "Set", element: cedarType(type.element) };
  if (type.kind !== "Record") return { type: type.kind === "Bool" ? "Boolean" : type.kind };
  const attributes: Attributes = {};
  const read = paths.flatMap(([name]) => (name === undefined ? [] : [name]));
  for (const name of new Set([...type.members.keys(), ...(type.others === undefined ? [] : read)])) {
    const member = memberType(type, name);
    const below = paths.flatMap(([first, ...rest]) => (first === name ? [rest] : []));
    if (member !== undefined) attributes[name] = { ...cedarType(member, below), required: true };
  }
  return { type: "Record", attributes };
}

/** The facts of a table that some rule reads, as requests of one action have them. */
function factAttributes(
  variable: string,
  table: FactTable,
  reads: readonly AttributeRead[],
  action: string | null = null,
): Attributes {
  const attributes: Attributes = {};
  for (const [name, fact] of table) {
    const paths = reads.flatMap(({ variable: of, path: [first, ...below] }) =>
      of === variable && first === name ? [below] : [],
    );
    if (!fact.sourced || !isFactOf(fact, action) || paths.length === 0) continue;
    attributes[name] = { ...cedarType(fact.type, paths), required: !fact.optional };
  }
  return attributes;
}

/** Names of the arguments that rules read. */
function namesRead(reads: readonly AttributeRead[]): readonly string[] {
  return [
    ...new Set(
      reads.flatMap(({ variable, path }) =>
        variable === "context" && path[0] === "arguments" && path[1] !== undefined ? [path[1]] : [],
      ),
    ),
  ];
}

/**
 * The arguments that rules read, as requests of one kind carry them. A source that does not declare an argument may
 * still be sent it, so it is optional there, not absent; one that only others declare has their type.
 */
function argumentRecord(
  names: readonly string[],
  own: readonly ArgumentSource[],
  all: readonly ArgumentSource[],
): Attributes {
  const attributes: Attributes = {};
  for (const name of names) {
    const type = agreedType(own.some((source) => source.declares(name)) ? own : all, name);
    if (type !== undefined)
      attributes[name] = {
        ...cedarType(type),
        required: own.length > 0 && own.every((source) => source.requires(name)),
      };
  }
  return attributes;
}

/** Where the arguments of each action come from. */
function argumentSources({
  tools,
  resources,
  prompts,
}: CatalogOutline): Readonly<Record<GovernedAction, readonly ArgumentSource[]>> {
  const ofTools = tools.map(toolArguments);
  const ofResources = resources.map(({ variables }) => textArguments(variables));
  const ofPrompts = prompts.map((prompt) => textArguments(prompt.arguments, prompt.required));
  // A completion knows some of the arguments, whichever they are.
  const partial = [
    ...resources.map(({ variables }) => textArguments(variables)),
    ...prompts.map((prompt) => textArguments(prompt.arguments)),
  ];
  return {
    call_tool: ofTools,
    list_resource: [],
    read_resource: ofResources,
    subscribe_resource: ofResources,
    get_prompt: ofPrompts,
    complete: partial,
    ask_client: [...ofTools, ...ofResources, ...ofPrompts],
    deliver_result: [...ofTools, ...ofResources, ...ofPrompts],
    server_egress: [...ofTools, ...ofResources, ...ofPrompts],
  };
}

/**
 * The gateway's own schema of a shape: the facts and arguments that the rules read, arguments typed by what was
 * approved. Used where a bundle's schema does not describe its rules, and to write one.
 *
 * @param named - actions to declare beside those that tools have: such as the rules name
 */
export function builtinSchema(
  shape: BundleShape,
  outline: CatalogOutline,
  reads: readonly AttributeRead[],
  named: readonly string[],
): SchemaJson<string> {
  const { tools } = outline;
  const names = namesRead(reads);
  const readsArguments = reads.some(({ variable, path }) => variable === "context" && path[0] === "arguments");
  const entity = (where: string, table: FactTable) => ({
    shape: { type: "Record" as const, attributes: factAttributes(where, table, reads) },
  });
  const principal = entity("principal", PRINCIPAL_FACTS);
  const action = (
    id: string | null,
    [principalType, resourceTypes]: readonly [principal: string, resources: readonly string[]],
    own: readonly ArgumentSource[],
    all: readonly ArgumentSource[],
  ) => {
    const facts = factAttributes("context", CONTEXT_FACTS, reads, id);
    const carried = readsArguments
      ? { arguments: { type: "Record" as const, attributes: argumentRecord(names, own, all) } }
      : {};
    return {
      appliesTo: {
        principalTypes: [principalType],
        resourceTypes: [...resourceTypes],
        context: { type: "Record" as const, attributes: { ...facts, ...carried } },
      },
    };
  };
  const actions: Record<string, ReturnType<typeof action>> = {};
  if (shape === "per-tool-action") {
    const all = tools.map(toolArguments);
    for (const id of named) actions[id] = action(null, ["Agent", ["Resource"]], [], all);
    for (const tool of tools)
      actions[tool.actionName] = action(null, ["Agent", ["Resource"]], [toolArguments(tool)], all);
    return { "": { entityTypes: { Agent: principal, Resource: entity("resource", TOOL_FACTS) }, actions } };
  }
  const sources = argumentSources(outline);
  const governed = [...new Set([CALL_TOOL, ...named])].filter(isGovernedAction);
  // Full names, as the engine gives them for a schema that it has resolved.
  for (const id of governed)
    actions[id] = action(id, ["cMCP::Principal", ACTIONS[id]], sources[id], sources.ask_client);
  const tables = { Resource: TOOL_FACTS, ResourceItem: RESOURCE_FACTS, Prompt: PROMPT_FACTS };
  const used = Object.entries(tables).filter(([type]) =>
    governed.some((id) => ACTIONS[id].some((full) => localName(full) === type)),
  );
  return {
    cMCP: {
      entityTypes: {
        Principal: principal,
        ...Object.fromEntries(used.map(([type, table]) => [type, entity("resource", table)])),
      },
      actions,
    },
  };
}

/** A type's name inside its namespace. */
function localName(type: string): string {
  return type.slice(type.lastIndexOf(":") + 1);
}
