import { approvedOf, findResource, isCallable, type Catalog, type Target } from "@cmcp/catalog";
import type { AgentRequest } from "@cmcp/mcp";
import { proceed, refuse, type Refusal, type Step } from "./ending.ts";

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

type Approvals = Pick<Catalog, "tools" | "prompts" | "resources">;

/**
 * Finds the approved tool, prompt or resource that a request names. Its server must be callable.
 * @param isOffered whether it is offered where the request came; one that is not is unknown there
 */
export function resolveTarget(
  request: AgentRequest,
  catalog: Approvals,
  isOffered: (target: Target) => boolean = () => true,
): Step<Target> {
  const target = findTarget(catalog, request);
  if (target === undefined || !isOffered(target))
    return refuse(null, { rule: "not-in-catalog", ...notInCatalog(request) });
  if (isCallable(approvedOf(target))) return proceed(target);
  const message = "the server cannot be called: over https its catalog entry needs a tls_fingerprint or another trust";
  return refuse(target, { rule: "server-not-callable", code: "NOT_SUPPORTED", message });
}

/** The approved tool, prompt or resource that a request names; `undefined` if the catalog has none. */
export function findTarget(catalog: Approvals, { method, name, completion }: AgentRequest): Target | undefined {
  switch (method) {
    case "tools/call": {
      const tool = catalog.tools.get(name);
      return tool === undefined ? undefined : { kind: "tool", tool };
    }
    case "tasks/get":
    case "tasks/result":
    case "tasks/update":
    case "tasks/cancel":
      // A task is not in the catalog. A known one was replaced by the call that made it before this.
      return undefined;
    case "prompts/get":
      return promptOf(catalog, name);
    case "completion/complete":
      return completion?.reference.type === "ref/prompt" ? promptOf(catalog, name) : templateOf(catalog, name);
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe": {
      const resource = findResource(catalog.resources, name);
      return resource === undefined ? undefined : { kind: "resource", resource };
    }
  }
}

function promptOf({ prompts }: Approvals, name: string): Target | undefined {
  const prompt = prompts.get(name);
  return prompt === undefined ? undefined : { kind: "prompt", prompt };
}

/** A template by its text, or a resource by its URI. */
function templateOf({ resources }: Approvals, uri: string): Target | undefined {
  const resource = resources.get(uri);
  return resource === undefined
    ? undefined
    : { kind: "resource", resource: { resource, uri: resource.id, variables: NO_VARIABLES } };
}

/** The refusal of a request whose target is not in the catalog. */
function notInCatalog({ method, name, completion }: AgentRequest): Omit<Refusal, "rule"> {
  const prompt = { code: "PROMPT_NOT_IN_CATALOG", message: "the prompt is not in the catalog" } as const;
  // The error names the resource (MCP, Resources, "Error Handling").
  const data = { uri: name };
  const resource = { code: "RESOURCE_NOT_IN_CATALOG", message: "the resource is not in the catalog", data } as const;
  switch (method) {
    case "tools/call":
      return { code: "TOOL_NOT_IN_CATALOG", message: "the tool is not in the catalog" };
    case "tasks/get":
    case "tasks/result":
    case "tasks/update":
    case "tasks/cancel":
      return { code: "TASK_UNKNOWN", message: "there is no such task" };
    case "prompts/get":
      return prompt;
    case "completion/complete":
      return completion?.reference.type === "ref/prompt" ? prompt : resource;
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return resource;
  }
}
