import { approvedOf, findResource, nameOf, type Catalog, type Target } from "@cmcp/catalog";
import type { ErrorCode } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import type { InvokedTool } from "@cmcp/session";

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

function completesPrompt(completion: AgentRequest["completion"]): boolean {
  return completion?.reference.type === "ref/prompt";
}

/** The one approved thing that a request names; `undefined` when the catalog has none. */
export function findSubject(catalog: Catalog, { method, name, completion }: AgentRequest): Target | undefined {
  const prompt = (): Target | undefined => {
    const found = catalog.prompts.get(name);
    return found === undefined ? undefined : { kind: "prompt", prompt: found };
  };
  switch (method) {
    case "tools/call": {
      const tool = catalog.tools.get(name);
      return tool === undefined ? undefined : { kind: "tool", tool };
    }
    case "tasks/get":
    case "tasks/result":
    case "tasks/update":
    case "tasks/cancel":
      // A task is in no catalog: it is found as the call that made it, or not at all.
      return undefined;
    case "prompts/get":
      return prompt();
    case "completion/complete": {
      if (completesPrompt(completion)) return prompt();
      const resource = catalog.resources.get(name);
      return resource === undefined
        ? undefined
        : { kind: "resource", resource: { resource, uri: resource.id, variables: NO_VARIABLES } };
    }
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe": {
      const resource = findResource(catalog.resources, name);
      return resource === undefined ? undefined : { kind: "resource", resource };
    }
  }
}

/** A subject as sessions remember it. */
export function invoked(subject: Target): InvokedTool {
  return { ...approvedOf(subject), toolName: nameOf(subject) };
}

/** What a request is refused with that is about nothing in the catalog. */
export function notInCatalog({ method, completion }: Pick<AgentRequest, "method" | "completion">): {
  readonly code: ErrorCode;
  readonly message: string;
} {
  const prompt = { code: "PROMPT_NOT_IN_CATALOG", message: "the prompt is not in the catalog" } as const;
  const resource = { code: "RESOURCE_NOT_IN_CATALOG", message: "the resource is not in the catalog" } as const;
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
      return completesPrompt(completion) ? prompt : resource;
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return resource;
  }
}
