import { isJsonObject, type JsonValue } from "@cmcp/boundary";
import { scanCatalog, type Finding } from "@cmcp/catalog";
import { carriedDetectors } from "@cmcp/findings";
import { candidatesOf, reviewedEntry, serverEntry, type ReviewedEntry } from "../catalog/entries.ts";
import type { ListedServer } from "../catalog/live-server.ts";
import { mergeEntries } from "../catalog/merge.ts";
import { selectEntries } from "../catalog/select-entries.ts";
import { nameTools } from "./tool-names.ts";

/** How the tools of a server are approved. */
export interface Approval {
  readonly approvedBy: string;
  readonly domain: string;
  readonly sensitivity: string;
  /** The server's name for people. */
  readonly displayName: string;
  /** Its name in the catalog's `servers`. */
  readonly serverName: string;
  /** These tools only; all where it is empty. */
  readonly tools: readonly string[];
  /** Names that agents are to know tools by, by those that the server has. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Name of the provisioned secret that the server is sent. */
  readonly credential?: string | undefined;
}

/** A server's tools as a catalog has them. */
export interface ApprovedTools {
  /** The catalog that they were added to, with them. */
  readonly catalog: JsonValue;
  readonly entries: readonly ReviewedEntry[];
  readonly names: readonly string[];
  /** Tools that the server itself says only read. */
  readonly saidToRead: readonly string[];
  /** Tools whose open input schema was closed. */
  readonly closed: readonly string[];
  /** Tools with another name than the server's. */
  readonly renamed: readonly { readonly name: string; readonly at_server: string }[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  readonly findings: readonly Finding[];
}

/**
 * Adds the tools that a server lists to a catalog. What the gateway could not serve is left out.
 * @throws CmcpError as `selectEntries`, `nameTools` and `mergeEntries`
 */
export async function approveTools(
  server: ListedServer,
  approval: Approval,
  existing: JsonValue = [],
): Promise<ApprovedTools> {
  const { approvedBy, domain, sensitivity, displayName, serverName, credential } = approval;
  const facts = { displayName, serverName, approvedBy, addedAt: new Date(), credential };
  const { chosen, leftOut } = selectEntries(server, candidatesOf(server), {
    entries: approval.tools,
    resources: [],
    prompts: [],
  });
  const named = nameTools(existing, chosen, displayName, approval.aliases);
  const review = { domain, sensitivity, requiresBaa: false };
  const entries = named.map((candidate) => reviewedEntry(server, candidate, facts, review));
  const { catalog } = mergeEntries(existing, entries, serverEntry(server, facts), new Set());
  const names = entries.map(({ name }) => name);
  const listed = new Map(server.lists.tools.map((tool) => [tool.name, tool.listed]));
  const findings = scanCatalog(catalog, await carriedDetectors());
  return {
    catalog,
    entries,
    names,
    saidToRead: named
      .filter(({ name, nameAtServer = name }) => {
        const annotations = listed.get(nameAtServer)?.["annotations"];
        return isJsonObject(annotations) && annotations["readOnlyHint"] === true;
      })
      .map(({ name }) => name),
    closed: entries.filter(({ entry }) => entry["input_schema"] !== undefined).map(({ name }) => name),
    renamed: named.flatMap(({ name, nameAtServer }) =>
      nameAtServer === undefined ? [] : [{ name, at_server: nameAtServer }],
    ),
    leftOut,
    findings: findings.filter(({ tool }) => names.includes(tool)),
  };
}

/** A catalog without a tool. */
export const NO_TOOLS: ApprovedTools = {
  catalog: [],
  entries: [],
  names: [],
  saidToRead: [],
  closed: [],
  renamed: [],
  leftOut: [],
  findings: [],
};
