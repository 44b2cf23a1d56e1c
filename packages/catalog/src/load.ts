import { CmcpError, type JsonValue } from "@cmcp/boundary";
import { readDocument } from "./entry/document.ts";
import { catalogHash } from "./hashes.ts";
import { headerMarksProblem } from "./header-marks.ts";
import { MAX_OF_SERVER, MAX_TEMPLATES } from "./limits.ts";
import { ServerRegister, readNamedServers } from "./named-server.ts";
import type { CatalogOptions } from "./options.ts";
import { readPrompts, type CatalogPrompt } from "./prompt/prompt.ts";
import { checkResources, readResource, type CatalogResource } from "./resource/resource.ts";
import { withSearchTool } from "./search/search-tool.ts";
import { describeFinding, scanApproved } from "./scan/index.ts";
import { serverWarnings, type CatalogServer } from "./server.ts";
import { readTool, type CatalogTool } from "./tool.ts";

/** A loaded catalog. */
export interface Catalog {
  /** `sha256:` and hex, see {@link catalogHash}. */
  readonly hash: string;
  /** With the gateway's search before them where that is on. */
  readonly tools: ReadonlyMap<string, CatalogTool>;
  /** Resources and templates, by URI or template as written; see {@link findResource}. */
  readonly resources: ReadonlyMap<string, CatalogResource>;
  readonly prompts: ReadonlyMap<string, CatalogPrompt>;
  /** Each server once: the named ones, then others in order of first use. */
  readonly servers: readonly CatalogServer[];
  readonly warnings: readonly string[];
}

function collision(tool: CatalogTool, other: CatalogTool, what: string): CmcpError {
  return new CmcpError(
    "CATALOG_TOOL_NAME_COLLISION",
    `${what}: offered by ${tool.server.displayName} (${tool.server.identity}) and ${other.server.displayName} (${other.server.identity})`,
  );
}

function readTools(
  raw: readonly JsonValue[],
  servers: ServerRegister,
  options: CatalogOptions,
): ReadonlyMap<string, CatalogTool> {
  const tools = new Map<string, CatalogTool>();
  const actions = new Map<string, CatalogTool>();
  for (const [index, entry] of raw.entries()) {
    const tool = readTool(entry, index, options);
    const sameName = tools.get(tool.toolName);
    if (sameName !== undefined) throw collision(sameName, tool, `duplicate tool name ${tool.toolName}`);
    const sameAction = actions.get(tool.actionName);
    if (sameAction !== undefined)
      throw collision(
        sameAction,
        tool,
        `tools ${sameAction.toolName} and ${tool.toolName} both give the Cedar action ${tool.actionName}`,
      );
    actions.set(tool.actionName, tool);
    tools.set(tool.toolName, { ...tool, server: servers.of(tool.server) });
  }
  return tools;
}

function readResources(
  raw: readonly JsonValue[],
  servers: ServerRegister,
  options: CatalogOptions,
): ReadonlyMap<string, CatalogResource> {
  const resources = raw.map((entry, index) => readResource(entry, index, servers, options));
  const templates = resources.filter(({ template }) => template !== null).length;
  if (templates > MAX_TEMPLATES)
    throw new CmcpError(
      "CATALOG_INVALID",
      `a catalog has at most ${MAX_TEMPLATES} resource templates; this one has ${templates}`,
    );
  return checkResources(resources);
}

/** A server's live list is read up to a limit, so more could never be compared with it. @throws CmcpError `CATALOG_INVALID` */
function checkServerLists({ tools, resources, prompts }: Pick<Catalog, "tools" | "resources" | "prompts">): void {
  const lists: Readonly<Record<string, readonly { readonly server: CatalogServer }[]>> = {
    tools: [...tools.values()],
    resources: [...resources.values()].filter(({ template }) => template === null),
    prompts: [...prompts.values()],
  };
  for (const [kind, items] of Object.entries(lists))
    for (const [{ displayName }, { length }] of Map.groupBy(items, ({ server }) => server))
      if (length > MAX_OF_SERVER)
        throw new CmcpError(
          "CATALOG_INVALID",
          `the server ${displayName} has ${length} ${kind} in the catalog, and at most ${MAX_OF_SERVER} of a server can be compared with its list; split the server`,
        );
}

/** Tools that cannot be called where headers mirror arguments, because a client may not follow their marks. */
function markWarnings(tools: ReadonlyMap<string, CatalogTool>): readonly string[] {
  return [...tools.values()].flatMap(({ toolName, inputSchema }) => {
    const problem = headerMarksProblem(inputSchema);
    return problem === null
      ? []
      : [`tool ${toolName}: ${problem}: a server of MCP 2026-07-28 cannot be called with it`];
  });
}

/** What the scanner says of the approved texts. Outside development nothing grave may reach a model. @throws CmcpError `CATALOG_INVALID` */
function scanWarnings(
  catalog: Pick<Catalog, "tools" | "resources" | "prompts">,
  { developmentMode, detectors = null }: CatalogOptions,
): readonly string[] {
  const findings = scanApproved(catalog, detectors);
  const grave = findings.find(({ severity }) => severity === "high");
  if (grave !== undefined && !developmentMode) {
    throw new CmcpError(
      "CATALOG_INVALID",
      `the scan of approved definitions found ${describeFinding(grave)}; cmcp catalog scan lists everything`,
    );
  }
  return findings.map(describeFinding);
}

/**
 * Loads a catalog: every entry checked, hashes recomputed; names, action names and URIs unique over all servers,
 * one key per server.
 *
 * @throws CmcpError `CATALOG_INVALID` (shape, bounds, a `definition_hash` that does not match, an unpinned server
 * or a high scanner finding outside development), `CATALOG_TOOL_NAME_COLLISION`, `CATALOG_NAME_COLLISION` (servers,
 * resources, prompts), `CONFIG_NOT_SUPPORTED` (features refused by name).
 */
export function loadCatalog(raw: JsonValue, options: CatalogOptions): Catalog {
  const document = readDocument(raw);
  const servers = new ServerRegister(readNamedServers(document.servers ?? [], options.developmentMode));
  const tools = readTools(document.entries, servers, options);
  const offered = {
    tools: options.toolSearch === true ? withSearchTool(tools) : tools,
    resources: readResources(document.resources ?? [], servers, options),
    prompts: readPrompts(document.prompts ?? [], servers, options),
  };
  checkServerLists(offered);
  const list = servers.all();
  return {
    hash: catalogHash(raw),
    ...offered,
    servers: list,
    warnings: [...list.flatMap(serverWarnings), ...markWarnings(offered.tools), ...scanWarnings(offered, options)],
  };
}
