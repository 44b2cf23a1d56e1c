import type { JsonObject } from "@cmcp/boundary";
import type { CatalogPrompt, CatalogResource, CatalogTool } from "@cmcp/catalog";
import type { ListKind, ListPage } from "@cmcp/mcp";
import { isListed, workflowOf } from "../call/decide.ts";
import type { Target } from "@cmcp/catalog";
import type { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";

/** Members of one page. */
const PAGE = 500;
/** Refusals of one list that are looked at for what arguments could change; what is refused beyond them is not shown. */
const MAX_CLOSE_LOOKS = 32;
const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

/** Something approved, with how an agent is shown it. */
interface Offered {
  readonly subject: Target;
  readonly shown: JsonObject;
}

function showTool(tool: CatalogTool): Offered {
  const { toolName: name, description, inputSchema, outputSchema } = tool;
  return {
    subject: { kind: "tool", tool },
    shown: { name, description, inputSchema, ...(outputSchema === null ? {} : { outputSchema }) },
  };
}

function showPrompt(prompt: CatalogPrompt): Offered {
  const told = prompt.arguments.map(({ name, title, description, required }) => ({
    name,
    ...(title === null ? {} : { title }),
    description,
    required,
  }));
  return {
    subject: { kind: "prompt", prompt },
    shown: {
      name: prompt.promptName,
      ...(prompt.title === null ? {} : { title: prompt.title }),
      description: prompt.description,
      arguments: told,
    },
  };
}

function showResource(resource: CatalogResource): Offered {
  const { id, template, name, title, description, mimeType } = resource;
  return {
    subject: { kind: "resource", resource: { resource, uri: id, variables: NO_VARIABLES } },
    shown: {
      [template === null ? "uri" : "uriTemplate"]: id,
      name,
      ...(title === null ? {} : { title }),
      description,
      ...(mimeType === null ? {} : { mimeType }),
    },
  };
}

/** What is compared with a server's own list of that kind. */
const COMPARED = {
  tools: "tool",
  prompts: "prompt",
  resources: "resource",
  templates: "resource",
} as const satisfies Record<ListKind, Target["kind"]>;

function offered({ catalog }: Core, kind: ListKind): Offered[] {
  switch (kind) {
    case "tools":
      return [...catalog.tools.values()].map(showTool);
    case "prompts":
      return [...catalog.prompts.values()].map(showPrompt);
    case "resources":
      return [...catalog.resources.values()].filter(({ template }) => template === null).map(showResource);
    case "templates":
      return [...catalog.resources.values()].filter(({ template }) => template !== null).map(showResource);
  }
}

/** One page of the approved definitions this caller may use, in catalog order, whatever servers they are of. @throws CmcpError `CURSOR_INVALID` */
export function list(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  kind: ListKind,
  cursor: string | null,
): ListPage {
  const { session } = recorded;
  const context = [session.id, kind, core.policy.bundle.hash, session.maxSensitivity];
  const from = cursor === null ? 0 : core.cursors.read(context, cursor);
  const workflowId = workflowOf({ workflowId: null });
  let looks = MAX_CLOSE_LOOKS;
  const mayLook = (): boolean => looks-- > 0;
  const items = offered(core, kind)
    .filter(({ subject }) => isListed(core, recorded, caller, subject, workflowId, mayLook))
    .map(({ shown }) => shown);
  core.drift.shown(COMPARED[kind]);
  const end = from + PAGE;
  return { items: items.slice(from, end), nextCursor: end < items.length ? core.cursors.make(context, end) : null };
}
