import type { Detectors } from "@cmcp/findings";
import type { CatalogPrompt } from "../prompt/prompt.ts";
import type { CatalogResource } from "../resource/resource.ts";
import type { CatalogTool } from "../tool.ts";
import type { Finding } from "./finding.ts";
import { scanPrompts, scanResource, scanTools } from "./scan.ts";

/** Scans everything a loaded catalog shows to agents. */
export function scanApproved(
  catalog: {
    readonly tools: ReadonlyMap<string, CatalogTool>;
    readonly resources: ReadonlyMap<string, CatalogResource>;
    readonly prompts: ReadonlyMap<string, CatalogPrompt>;
  },
  detectors: Detectors | null = null,
): Finding[] {
  const whose = ({ server }: { readonly server: CatalogTool["server"] }): { server: string; displayName: string } => ({
    server: server.identity,
    displayName: server.displayName,
  });
  return [
    ...scanTools(
      Array.from(catalog.tools.values(), (tool) => ({ ...tool, ...whose(tool) })),
      detectors,
    ),
    ...Array.from(catalog.resources.values(), (resource) => {
      const { id, name, title, description } = resource;
      return scanResource({ id, ...whose(resource), description, definition: { name, title, description } }, detectors);
    }).flat(),
    ...scanPrompts(
      Array.from(catalog.prompts.values(), (prompt) => {
        const { promptName, title, description } = prompt;
        const list = prompt.arguments.map((one) => ({
          name: one.name,
          title: one.title,
          description: one.description,
        }));
        return { promptName, ...whose(prompt), description, definition: { title, description, arguments: list } };
      }),
      detectors,
    ),
  ];
}
