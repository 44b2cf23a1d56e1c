import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { prefixedSha256, driftDigest } from "../hashes.ts";
import type { GatewayServer } from "../server.ts";
import { actionName } from "../tool-name.ts";
import type { CatalogTool } from "../tool.ts";

/** What agents call the search. No catalog entry has the name while the search is on. */
export const SEARCH_TOOL_NAME = "cmcp_search_tools";

/** Most UTF-16 units of a query. */
export const MAX_QUERY = 256;
/** Most definitions of one answer, and how many there are unless the caller says. */
export const MAX_FOUND = 20;
export const DEFAULT_FOUND = 8;

const DEFINITION = {
  description:
    "Finds tools by words of their names, descriptions and arguments, the best match first. It answers with a JSON object " +
    "whose `tools` are definitions as tools/list has them. Each can then be called by its name.",
  inputSchema: {
    type: "object",
    properties: {
      query: {
        type: "string",
        minLength: 1,
        maxLength: MAX_QUERY,
        description: "Words that say what the tool is for.",
      },
      limit: { type: "integer", minimum: 1, maximum: MAX_FOUND, default: DEFAULT_FOUND, description: "Most tools." },
    },
    required: ["query"],
    additionalProperties: false,
  },
  outputSchema: null,
} as const satisfies { description: string; inputSchema: JsonObject; outputSchema: null };

const GATEWAY: GatewayServer = {
  identity: "cmcp:gateway",
  name: "cmcp:gateway",
  displayName: "the gateway",
  // It says what the catalog says, which the operator approved.
  integrity: "trusted",
  transport: "gateway",
  evidenceClass: "hash-only",
};

const { description, inputSchema } = DEFINITION;

/** The gateway's own tool, as policy and lists see it. It is no part of a catalog's hash, and has no server. */
export const SEARCH_TOOL: CatalogTool = {
  ...DEFINITION,
  toolName: SEARCH_TOOL_NAME,
  nameAtServer: SEARCH_TOOL_NAME,
  actionName: actionName(SEARCH_TOOL_NAME),
  server: GATEWAY,
  definitionHash: prefixedSha256({ description, input_schema: inputSchema }),
  driftDigest: driftDigest(DEFINITION),
  projectionSchema: null,
  additionalArguments: false,
  consequential: false,
  toolCategory: "unclassified",
  complianceDomain: "public",
  requiresBaa: false,
  baaCovered: true,
  sensitivityLevel: "public",
  destinationClass: "gateway",
};

/**
 * A catalog's tools behind the search.
 * @throws CmcpError `CATALOG_TOOL_NAME_COLLISION` for an entry that has its name or its Cedar action
 */
export function withSearchTool(tools: ReadonlyMap<string, CatalogTool>): ReadonlyMap<string, CatalogTool> {
  for (const { toolName, actionName: action } of tools.values())
    if (action === SEARCH_TOOL.actionName)
      throw new CmcpError(
        "CATALOG_TOOL_NAME_COLLISION",
        `tool ${toolName}: the name is the gateway's own while enclave.tool_search is on; rename the entry, with server_tool_name`,
      );
  return new Map([[SEARCH_TOOL_NAME, SEARCH_TOOL], ...tools]);
}
