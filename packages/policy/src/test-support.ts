/** Bundles, tools and calls for this package's tests. */
import { NO_FLOWS } from "./flow.ts";
import type { JsonObject } from "@cmcp/boundary";
import {
  UriTemplate,
  type RequestedResource,
  type CatalogPrompt,
  type CatalogResource,
  type CatalogTool,
} from "@cmcp/catalog";
import type { Findings } from "@cmcp/findings";
import { readBundle, type PolicyBundle } from "./bundle/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import type { CompiledPolicy } from "./compiled.ts";
import type { PolicyCatalog } from "./compile/outline.ts";
import type { CallFacts, PromptFacts, RequestFacts, ResourceFacts } from "./facts.ts";

export const WORKER = new URL("./compile-worker.ts", import.meta.url);

export const MANIFEST = {
  version: "1.2.0",
  authored_at: "2026-10-01T08:30:00Z",
  author_identity: "policy@bank.example",
  commit_sha: "0f9d3c1",
};

/** A normative schema whose context holds `context` and whose arguments are `args`, both in Cedar schema text. */
export function schemaText(args = "", context = "session_max_sensitivity: String"): string {
  return `namespace cMCP { entity Principal; entity Resource = { tool_name: String };
    action call_tool appliesTo { principal: Principal, resource: Resource, context: { ${context}, arguments: { ${args} } } }; }`;
}

export function bundleOf(cedar: string, schema = schemaText(), manifest: JsonObject = MANIFEST): PolicyBundle {
  return readBundle({ "manifest.json": JSON.stringify(manifest), "rules.cedar": cedar, "schema.cedarschema": schema });
}

const APPROVED = {
  server: {
    identity: "https://tools.example/mcp",
    name: "Tools",
    displayName: "Tools",
    integrity: "untrusted",
    url: new URL("https://tools.example/mcp"),
    transport: "streamable-http",
    trust: null,
    rotationMode: "key-pinned",
    evidenceClass: "hash-only",
  },
  description: "Something approved.",
  definitionHash: "sha256:00",
  driftDigest: "sha256:00",
  complianceDomain: "external",
  requiresBaa: false,
  baaCovered: true,
  sensitivityLevel: "public",
  destinationClass: "external",
} as const;

export function tool(
  toolName: string,
  inputSchema: JsonObject = { type: "object" },
  rest: Partial<CatalogTool> = {},
): CatalogTool {
  return {
    ...APPROVED,
    toolName,
    nameAtServer: toolName,
    actionName: toolName
      .split("_")
      .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
      .join(""),
    inputSchema,
    outputSchema: null,
    projectionSchema: null,
    additionalArguments: false,
    consequential: false,
    toolCategory: "unclassified",
    ...rest,
  };
}

/** A resource of this URI, or a template. */
export function resource(id: string, rest: Partial<CatalogResource> = {}): CatalogResource {
  return {
    ...APPROVED,
    id,
    template: id.includes("{") ? new UriTemplate(id, "resource") : null,
    name: id,
    title: null,
    mimeType: null,
    ...rest,
  };
}

/** A resource as asked for by its own URI, or by one that fits its template. */
export function asked(of: CatalogResource, uri = of.id): RequestedResource {
  return { resource: of, uri, variables: of.template?.match(uri) ?? new Map() };
}

/** A prompt whose arguments are all required. */
export function prompt(
  promptName: string,
  names: readonly string[] = [],
  rest: Partial<CatalogPrompt> = {},
): CatalogPrompt {
  return {
    ...APPROVED,
    promptName,
    title: null,
    arguments: names.map((name) => ({ name, title: null, description: "", required: true })),
    ...rest,
  };
}

const path: JsonObject = { path: { type: "string" } };
export const READ_FILE = tool("read_file", { type: "object", properties: path, required: ["path"] });
export const SEND_MAIL = tool("send_mail", { type: "object", properties: { to: { type: "string" } } });

export function catalogOf(...tools: readonly CatalogTool[]): { tools: ReadonlyMap<string, CatalogTool> } {
  return { tools: new Map(tools.map((each) => [each.toolName, each])) };
}

/** A catalog with resources and prompts beside its tools. */
export function catalogWith(
  resources: readonly CatalogResource[],
  prompts: readonly CatalogPrompt[],
  tools: readonly CatalogTool[] = [READ_FILE, SEND_MAIL],
): PolicyCatalog {
  return {
    ...catalogOf(...tools),
    resources: new Map(resources.map((each) => [each.id, each])),
    prompts: new Map(prompts.map((each) => [each.promptName, each])),
  };
}

export async function compile(
  cedar: string,
  schema?: string,
  tools: readonly CatalogTool[] = [READ_FILE, SEND_MAIL],
): Promise<CompiledPolicy> {
  return await compilePolicy(bundleOf(cedar, schema), catalogOf(...tools), { workerUrl: WORKER });
}

const REQUEST: RequestFacts = {
  principal: { id: "agent-1" },
  sessionId: "5f0c",
  workflowId: "default",
  workflowAllowedTools: ["read_file"],
  sessionSensitivity: "public",
  sessionMaxSensitivity: "public",
  sensitivityLevelInt: 0,
  sessionCompartments: [],
  sessionIntegrity: "trusted",
  flows: NO_FLOWS,
  dataCompartments: [],
  enforcementMode: "enforcing",
  catalogHash: "sha256:00",
  attestationPlatform: "software-only",
  channel: "plain",
  isolation: "netns",
  sessionIsolation: "gateway",
  history: {},
  historyComplete: true,
  argumentFindings: () => NO_FINDINGS,
};

/** Nothing found. */
export const NO_FINDINGS: Findings = {
  secrets: 0,
  personalData: 0,
  contacts: 0,
  injectionMarks: 0,
  injectionScore: 0,
  hiddenText: false,
  carryingLinks: 0,
  kinds: [],
  complete: true,
};

const NO_TARGETS = {
  urls: [],
  hosts: [],
  schemes: [],
  paths: [],
  commonPath: "",
  pathEscapes: false,
  complete: true,
};

export function call(args: JsonObject = {}, rest: Partial<CallFacts> = {}): CallFacts {
  return { ...REQUEST, tool: READ_FILE, arguments: args, targets: () => NO_TARGETS, ...rest };
}

export function onResource(
  action: ResourceFacts["action"],
  of: CatalogResource,
  rest: Partial<ResourceFacts> = {},
): ResourceFacts {
  return { ...REQUEST, action, resource: asked(of), ...rest };
}

export function onPrompt(
  action: PromptFacts["action"],
  of: CatalogPrompt,
  args: JsonObject = {},
  rest: Partial<PromptFacts> = {},
): PromptFacts {
  return { ...REQUEST, action, prompt: of, arguments: args, ...rest };
}

export const PERMIT_ALL = "permit (principal, action, resource);";
