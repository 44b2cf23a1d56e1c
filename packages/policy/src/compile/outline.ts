import type { Catalog } from "@cmcp/catalog";
import type { CatalogOutline } from "../schema/builtin.ts";

/** The parts of a catalog that policies are written against. One without resources or prompts has none. */
export type PolicyCatalog = Pick<Catalog, "tools"> & Partial<Pick<Catalog, "resources" | "prompts">>;

/** A catalog as plain data, as far as schemas and checks of names need it. */
export function outlineOf({ tools, resources, prompts }: PolicyCatalog): CatalogOutline {
  return {
    tools: Array.from(tools.values(), ({ toolName, actionName, inputSchema }) => ({
      toolName,
      actionName,
      inputSchema,
    })),
    resources: Array.from(resources?.values() ?? [], ({ id, template }) => ({
      id,
      variables: template?.variables ?? [],
    })),
    prompts: Array.from(prompts?.values() ?? [], ({ promptName, arguments: list }) => ({
      promptName,
      arguments: list.map(({ name }) => name),
      required: list.filter(({ required }) => required).map(({ name }) => name),
    })),
  };
}
