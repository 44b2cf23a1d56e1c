import { CALL_TOOL, PROMPT, RESOURCE_ITEM, TOOL, type GovernedAction } from "../actions.ts";
import type { BundleShape } from "../compiled.ts";
import type { GovernedFacts } from "../facts.ts";
import type { CatalogOutline } from "../schema/builtin.ts";

/** Who is asked about what, as Cedar names it: an action's id, and an entity's type and id. */
export interface EntityRequest {
  readonly action: string;
  readonly type: string;
  readonly id: string;
}

/**
 * What a request is to the rules of a shape; `null` for one they cannot speak of. Bundles with an action per
 * tool have no names for anything but tools.
 */
export function entityRequestOf(shape: BundleShape, facts: GovernedFacts): EntityRequest | null {
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

/**
 * Everything a catalog has that rules of a shape can name: its Cedar type and id, and for a tool under per-tool
 * actions the one action it has.
 */
export function resourcesOf(
  shape: BundleShape,
  { tools, resources, prompts }: CatalogOutline,
): readonly (Omit<EntityRequest, "action"> & { readonly action: string | null })[] {
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
