import type { Approved } from "./approved.ts";
import type { CatalogPrompt } from "./prompt/prompt.ts";
import type { RequestedResource } from "./resource/find.ts";
import type { CatalogServer } from "./server.ts";
import type { CatalogTool } from "./tool.ts";

/** What of the catalog a request is about. */
export type Target =
  | { readonly kind: "tool"; readonly tool: CatalogTool }
  | { readonly kind: "resource"; readonly resource: RequestedResource }
  | { readonly kind: "prompt"; readonly prompt: CatalogPrompt };

/** What the catalog says of a target, whatever its kind. */
export function approvedOf(target: Target): Approved {
  switch (target.kind) {
    case "tool":
      return target.tool;
    case "resource":
      return target.resource.resource;
    case "prompt":
      return target.prompt;
  }
}

/** A server as records name it; `null` for the gateway, whose own tool is in no catalog. */
export function recordedIdentity({ transport, identity }: CatalogServer): string | null {
  return transport === "gateway" ? null : identity;
}

/** The name a target has in records: a tool's or prompt's, a resource's URI or template as the catalog has it. */
export function nameOf(target: Target): string {
  switch (target.kind) {
    case "tool":
      return target.tool.toolName;
    case "resource":
      return target.resource.resource.id;
    case "prompt":
      return target.prompt.promptName;
  }
}
