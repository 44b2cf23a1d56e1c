import { CmcpError, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { rawEntries } from "./entry/list.ts";
import { readEntry } from "./entry/read.ts";
import { catalogHash, driftDigest } from "./hashes.ts";
import { describeFinding, scanTools } from "./scan/index.ts";
import { readServer, serverWarnings, type CatalogServer } from "./server.ts";
import { actionName } from "./tool-name.ts";

/** One approved tool. */
export interface CatalogTool {
  readonly toolName: string;
  /** See {@link actionName}. */
  readonly actionName: string;
  readonly server: CatalogServer;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject | null;
  /** `sha256:` and hex of the approved definition as written. */
  readonly definitionHash: string;
  /** `sha256:` and hex to compare with a live definition's. */
  readonly driftDigest: string;
  readonly complianceDomain: string;
  readonly requiresBaa: boolean;
  /** An entry records no agreement, so a tool that needs one is not covered. */
  readonly baaCovered: boolean;
  readonly sensitivityLevel: string;
  /** Always `external`: an entry does not say where data goes, and outside is the careful reading. */
  readonly destinationClass: string;
  /** Always `unclassified`: the entry format has no category. */
  readonly toolCategory: string;
}

/** A loaded catalog. */
export interface Catalog {
  /** `sha256:` and hex, see {@link catalogHash}. */
  readonly hash: string;
  readonly tools: ReadonlyMap<string, CatalogTool>;
  /** Each server once, in order of first use. */
  readonly servers: readonly CatalogServer[];
  readonly warnings: readonly string[];
}

/** Under which rules a catalog loads. */
export interface CatalogOptions {
  /** Allows servers whose key is not pinned. */
  readonly developmentMode: boolean;
  /** The deployment's sensitivity labels; a tool may carry no other. */
  readonly vocabulary: { has(label: string): boolean };
}

const DOMAINS: ReadonlySet<string> = new Set(["hipaa_phi", "pci_data", "mnpi", "pii", "trade_secret", "internal", "external", "public"]);

function readTool(raw: JsonValue, index: number, options: CatalogOptions): CatalogTool {
  const entry = readEntry(raw, index);
  const refuse = (why: string): never => {
    throw new CmcpError("CATALOG_INVALID", `catalog entry ${entry.tool_name}: ${why}`);
  };
  if (!DOMAINS.has(entry.compliance_domain)) refuse(`compliance_domain ${entry.compliance_domain} is not one of ${[...DOMAINS].join(" ")}`);
  if (!options.vocabulary.has(entry.sensitivity_level)) refuse(`sensitivity_level ${entry.sensitivity_level} is not in the sensitivity vocabulary`);
  const approved = { description: entry.approved_definition.description, inputSchema: entry.approved_definition.input_schema, outputSchema: entry.approved_definition.output_schema ?? null };
  return {
    ...approved,
    toolName: entry.tool_name,
    actionName: actionName(entry.tool_name),
    server: readServer(entry.tool_name, entry.server, options.developmentMode),
    definitionHash: entry.definition_hash,
    driftDigest: driftDigest(approved),
    complianceDomain: entry.compliance_domain,
    requiresBaa: entry.requires_baa,
    baaCovered: !entry.requires_baa,
    sensitivityLevel: entry.sensitivity_level,
    destinationClass: "external",
    toolCategory: "unclassified",
  };
}

function collision(tool: CatalogTool, other: CatalogTool, what: string): CmcpError {
  return new CmcpError("CATALOG_TOOL_NAME_COLLISION", `${what}: offered by ${tool.server.displayName} (${tool.server.identity}) and ${other.server.displayName} (${other.server.identity})`);
}

function sameServer(left: CatalogServer, right: CatalogServer): boolean {
  return left.transport === right.transport && (left.pin === null ? right.pin === null : right.pin !== null && left.pin.every((byte, index) => byte === right.pin?.[index]));
}

/** What the scanner says of the approved texts. Outside development nothing grave may reach a model. @throws CmcpError `CATALOG_INVALID` */
function scanWarnings(tools: Iterable<CatalogTool>, developmentMode: boolean): readonly string[] {
  const findings = scanTools(Array.from(tools, (tool) => ({ ...tool, server: tool.server.identity, displayName: tool.server.displayName })));
  const grave = findings.find(({ severity }) => severity === "high");
  if (grave !== undefined && !developmentMode) {
    throw new CmcpError("CATALOG_INVALID", `the scan of approved definitions found ${describeFinding(grave)}; cmcp catalog scan lists everything`);
  }
  return findings.map(describeFinding);
}

/**
 * Loads a catalog: every entry checked, hashes recomputed, names and action names unique, one key per server.
 *
 * @throws CmcpError `CATALOG_INVALID` (shape, bounds, a `definition_hash` that does not match, an unpinned server
 * or a high scanner finding outside development), `CATALOG_TOOL_NAME_COLLISION`, `CONFIG_NOT_SUPPORTED` (features refused by name).
 */
export function loadCatalog(raw: JsonValue, options: CatalogOptions): Catalog {
  const tools = new Map<string, CatalogTool>();
  const actions = new Map<string, CatalogTool>();
  const servers = new Map<string, CatalogServer>();
  for (const [index, entry] of rawEntries(raw).entries()) {
    const tool = readTool(entry, index, options);
    const sameName = tools.get(tool.toolName);
    if (sameName !== undefined) throw collision(sameName, tool, `tool name ${tool.toolName} stands twice`);
    const sameAction = actions.get(tool.actionName);
    if (sameAction !== undefined) throw collision(sameAction, tool, `tools ${sameAction.toolName} and ${tool.toolName} both give the Cedar action ${tool.actionName}`);
    const known = servers.get(tool.server.identity) ?? tool.server;
    if (!sameServer(known, tool.server)) throw new CmcpError("CATALOG_INVALID", `server ${tool.server.identity} stands in the catalog with two different pins or transports`);
    servers.set(known.identity, known);
    actions.set(tool.actionName, tool);
    tools.set(tool.toolName, { ...tool, server: known });
  }
  const list = [...servers.values()];
  return { hash: catalogHash(raw), tools, servers: list, warnings: [...list.flatMap(serverWarnings), ...scanWarnings(tools.values(), options.developmentMode)] };
}
