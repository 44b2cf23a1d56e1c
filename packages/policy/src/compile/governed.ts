import type { BundleShape } from "../compiled.ts";
import type { GovernedFacts } from "../facts.ts";
import type { CatalogOutline } from "../schema/builtin.ts";

/** Cedar types of what a request can be about. */
export const TOOL = "cMCP::Resource";
export const RESOURCE_ITEM = "cMCP::ResourceItem";
export const PROMPT = "cMCP::Prompt";

/** The action of a tool's call, which every bundle of the `call_tool` shape has. */
export const CALL_TOOL = "call_tool";

/** Actions of the `call_tool` shape, and the entity types each applies to. */
export const ACTIONS = {
  call_tool: [TOOL],
  list_resource: [RESOURCE_ITEM],
  read_resource: [RESOURCE_ITEM],
  subscribe_resource: [RESOURCE_ITEM],
  get_prompt: [PROMPT],
  complete: [RESOURCE_ITEM, PROMPT],
  ask_client: [TOOL, RESOURCE_ITEM, PROMPT],
} as const satisfies Record<string, readonly string[]>;

/** An action of the `call_tool` shape. */
export type GovernedAction = keyof typeof ACTIONS;

export function isGovernedAction(id: string): id is GovernedAction {
  return Object.hasOwn(ACTIONS, id);
}

/** Who is asked about what, as Cedar names it: an action's id, and an entity's type and id. */
export interface Asked {
  readonly action: string;
  readonly type: string;
  readonly id: string;
}

/**
 * What a request is to the rules of a shape; `null` for one they cannot speak of. Bundles with an action per
 * tool have no names for anything but tools.
 */
export function askedOf(shape: BundleShape, facts: GovernedFacts): Asked | null {
  if ("tool" in facts) {
    const action = facts.action ?? CALL_TOOL;
    if (shape === "call_tool") return { action, type: TOOL, id: facts.tool.toolName };
    return action === CALL_TOOL ? { action: facts.tool.actionName, type: "Resource", id: facts.tool.toolName } : null;
  }
  if (shape === "per-tool-action") return null;
  return "prompt" in facts
    ? { action: facts.action, type: PROMPT, id: facts.prompt.promptName }
    : { action: facts.action, type: RESOURCE_ITEM, id: facts.resource.resource.id };
}

/** Everything a catalog has that rules of a shape can name: its Cedar type and id, and for a tool under per-tool actions the one action it has. */
export function subjectsOf(
  shape: BundleShape,
  { tools, resources, prompts }: CatalogOutline,
): readonly (Omit<Asked, "action"> & { readonly action: string | null })[] {
  if (shape === "per-tool-action")
    return tools.map(({ toolName, actionName }) => ({ type: "Resource", id: toolName, action: actionName }));
  return [
    ...tools.map(({ toolName }) => ({ type: TOOL, id: toolName, action: null })),
    ...resources.map(({ id }) => ({ type: RESOURCE_ITEM, id, action: null })),
    ...prompts.map(({ promptName }) => ({ type: PROMPT, id: promptName, action: null })),
  ];
}

/** Actions under which a catalog has something to decide; a server's requests to clients only count where a rule speaks of them. */
export function actionsFor({ resources, prompts }: CatalogOutline): readonly GovernedAction[] {
  const templates = resources.some(({ variables }) => variables.length > 0);
  return [
    CALL_TOOL,
    ...(resources.length > 0 ? (["list_resource", "read_resource", "subscribe_resource"] as const) : []),
    ...(prompts.length > 0 ? (["get_prompt"] as const) : []),
    ...(prompts.length > 0 || templates ? (["complete"] as const) : []),
  ];
}
