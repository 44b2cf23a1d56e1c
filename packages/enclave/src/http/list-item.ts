import type { JsonObject } from "@cmcp/boundary";
import type { Catalog, CatalogPrompt, CatalogResource, CatalogTool, Target } from "@cmcp/catalog";
import type { ListKind } from "@cmcp/mcp";

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

function showTool({ toolName: name, description, inputSchema, outputSchema }: CatalogTool): JsonObject {
  return { name, description, inputSchema, ...(outputSchema === null ? {} : { outputSchema }) };
}

function showPrompt(prompt: CatalogPrompt): JsonObject {
  const promptArguments = prompt.arguments.map(({ name, title, description, required }) => ({
    name,
    ...(title === null ? {} : { title }),
    description,
    required,
  }));
  return {
    name: prompt.promptName,
    ...(prompt.title === null ? {} : { title: prompt.title }),
    description: prompt.description,
    arguments: promptArguments,
  };
}

function showResource({ id, template, name, title, description, mimeType }: CatalogResource): JsonObject {
  return {
    [template === null ? "uri" : "uriTemplate"]: id,
    name,
    ...(title === null ? {} : { title }),
    description,
    ...(mimeType === null ? {} : { mimeType }),
  };
}

/** A target's approved definition, as agents get it. */
export function definitionOf(target: Target): JsonObject {
  switch (target.kind) {
    case "tool":
      return showTool(target.tool);
    case "prompt":
      return showPrompt(target.prompt);
    case "resource":
      return showResource(target.resource.resource);
  }
}

/** What each list is made from, in catalog order. */
export function listTargets({
  tools,
  prompts,
  resources,
}: Pick<Catalog, "tools" | "prompts" | "resources">): Readonly<Record<ListKind, readonly Target[]>> {
  const asTarget = (resource: CatalogResource): Target => ({
    kind: "resource",
    resource: { resource, uri: resource.id, variables: NO_VARIABLES },
  });
  const all = [...resources.values()];
  return {
    tools: [...tools.values()].map((tool) => ({ kind: "tool", tool })),
    prompts: [...prompts.values()].map((prompt) => ({ kind: "prompt", prompt })),
    resources: all.filter(({ template }) => template === null).map(asTarget),
    templates: all.filter(({ template }) => template !== null).map(asTarget),
  };
}
