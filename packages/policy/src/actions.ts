/** Cedar types of what a request can be about. */
export const TOOL = "cMCP::Resource";
export const RESOURCE_ITEM = "cMCP::ResourceItem";
export const PROMPT = "cMCP::Prompt";

/** The action of a tool's call, which every bundle of the `call_tool` shape has. */
export const CALL_TOOL = "call_tool";

/** The action of handing a server's result or message to the agent. It is decided only for bundles that speak of it. */
export const DELIVER_RESULT = "deliver_result";

/** The action of a stdio server's connection to a host during a call. */
export const SERVER_EGRESS = "server_egress";

/** Actions of the `call_tool` shape, and the entity types each applies to. */
export const ACTIONS = {
  call_tool: [TOOL],
  list_resource: [RESOURCE_ITEM],
  read_resource: [RESOURCE_ITEM],
  subscribe_resource: [RESOURCE_ITEM],
  get_prompt: [PROMPT],
  complete: [RESOURCE_ITEM, PROMPT],
  ask_client: [TOOL, RESOURCE_ITEM, PROMPT],
  deliver_result: [TOOL, RESOURCE_ITEM, PROMPT],
  server_egress: [TOOL, RESOURCE_ITEM, PROMPT],
} as const satisfies Record<string, readonly string[]>;

/** An action of the `call_tool` shape. */
export type GovernedAction = keyof typeof ACTIONS;

export function isGovernedAction(id: string): id is GovernedAction {
  return Object.hasOwn(ACTIONS, id);
}
