import type { JsonObject } from "@cmcp/boundary";
import type { Catalog, CatalogPrompt, CatalogResource, CatalogTool, Target } from "@cmcp/catalog";
import type { AgentRequest, ListKind, ListPage } from "@cmcp/mcp";
import type { CompiledPolicy } from "@cmcp/policy";
import type { Decider } from "../call/decide.ts";
import type { Caller } from "../access/caller.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { DriftMonitor } from "../servers/drift.ts";
import type { Cursors } from "./cursor.ts";

/** Members of one page. */
const PAGE = 500;
/** Most refusals of one list for which the engine is asked whether any arguments would be allowed. Further refusals are not listed. */
const MAX_ARGUMENT_CHECKS = 32;
const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

/** The request that a list is decided as: no target. */
const LISTING: AgentRequest = {
  method: "tools/call",
  name: "",
  arguments: {},
  completion: null,
  trace: null,
  workflowId: null,
  dataClass: null,
  requestId: 0,
  input: null,
  task: null,
};

/** A target with its definition as agents get it. */
interface ListItem {
  readonly target: Target;
  readonly definition: JsonObject;
}

function showTool(tool: CatalogTool): ListItem {
  const { toolName: name, description, inputSchema, outputSchema } = tool;
  return {
    target: { kind: "tool", tool },
    definition: { name, description, inputSchema, ...(outputSchema === null ? {} : { outputSchema }) },
  };
}

function showPrompt(prompt: CatalogPrompt): ListItem {
  const promptArguments = prompt.arguments.map(({ name, title, description, required }) => ({
    name,
    ...(title === null ? {} : { title }),
    description,
    required,
  }));
  return {
    target: { kind: "prompt", prompt },
    definition: {
      name: prompt.promptName,
      ...(prompt.title === null ? {} : { title: prompt.title }),
      description: prompt.description,
      arguments: promptArguments,
    },
  };
}

function showResource(resource: CatalogResource): ListItem {
  const { id, template, name, title, description, mimeType } = resource;
  return {
    target: { kind: "resource", resource: { resource, uri: id, variables: NO_VARIABLES } },
    definition: {
      [template === null ? "uri" : "uriTemplate"]: id,
      name,
      ...(title === null ? {} : { title }),
      description,
      ...(mimeType === null ? {} : { mimeType }),
    },
  };
}

/** The kind of target in each list. */
const COMPARED = {
  tools: "tool",
  prompts: "prompt",
  resources: "resource",
  templates: "resource",
} as const satisfies Record<ListKind, Target["kind"]>;

function listItems(catalog: ListPorts["catalog"], kind: ListKind): ListItem[] {
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

/** What listing needs. */
export interface ListPorts {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly decider: Pick<Decider, "isListed">;
  readonly policy: () => CompiledPolicy;
  /** The workflows of this caller whose tools are listed. */
  readonly workflows: (caller: Caller) => readonly string[];
  readonly cursors: Cursors;
  readonly drift: Pick<DriftMonitor, "requireRecheck">;
}

/** Which list, for whom. */
export interface ListRequest {
  readonly recorded: RecordedSession;
  readonly caller: Caller;
  readonly kind: ListKind;
  readonly cursor: string | null;
}

/** One page of the approved definitions that the caller may use, in catalog order, over all servers. @throws CmcpError `CURSOR_INVALID` */
export function list(parts: ListPorts, { recorded, caller, kind, cursor }: ListRequest): ListPage {
  const { catalog, decider, cursors, drift } = parts;
  const policy = parts.policy();
  const context = [recorded.session.id, kind, policy.bundle.hash];
  const from = cursor === null ? 0 : cursors.read(context, cursor);
  const calls = parts
    .workflows(caller)
    .map((workflowId) => ({ recorded, caller, policyRequest: { ...LISTING, workflowId }, policy }));
  let looks = MAX_ARGUMENT_CHECKS;
  const mayCheckArguments = (): boolean => looks-- > 0;
  const items = listItems(catalog, kind)
    .filter(({ target }) => calls.some((call) => decider.isListed(call, target, mayCheckArguments)))
    .map(({ definition }) => definition);
  drift.requireRecheck(COMPARED[kind]);
  const end = from + PAGE;
  return {
    items: items.slice(from, end),
    nextCursor: end < items.length ? cursors.make(context, end) : null,
  };
}
