import { actionName } from "@cmcp/catalog";
import { CmcpError, isJsonObject, type JsonValue } from "@cmcp/boundary";
import type { Candidate } from "../catalog/entries.ts";

/** Longest name of a tool, in characters, as the catalog has it. */
const MAX_TOOL_NAME = 128;

/** Names of a catalog's tools; of a document that is no catalog, none. */
function toolNames(catalog: JsonValue): readonly string[] {
  const entries = isJsonObject(catalog) ? catalog["entries"] : catalog;
  return (Array.isArray(entries) ? entries : []).flatMap((entry) =>
    isJsonObject(entry) && typeof entry["tool_name"] === "string" ? [entry["tool_name"]] : [],
  );
}

/** What a tool is called before its server's name can be a part of its own. */
function prefixOf(serverName: string): string {
  return serverName.replaceAll(/[^A-Za-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "");
}

/**
 * Gives tools names that the catalog has not yet. One that collides, also as a Cedar action, gets its server's name before
 * its own; the operator's choice goes first.
 * @param aliases names that the operator chose, by what the server calls the tool
 * @throws CmcpError `CATALOG_TOOL_NAME_COLLISION` for a chosen name that is not free; `USAGE` for one of no tool
 */
export function nameTools(
  catalog: JsonValue,
  candidates: readonly Candidate[],
  serverName: string,
  aliases: ReadonlyMap<string, string>,
): readonly Candidate[] {
  const unknown = [...aliases.keys()].find((alias) => !candidates.some(({ name }) => name === alias));
  if (unknown !== undefined) throw new CmcpError("USAGE", `--alias ${unknown}: it is not among the approved tools`);
  const taken = new Set(toolNames(catalog).map(actionName));
  const isFree = (name: string): boolean => !taken.has(actionName(name)) && name.length <= MAX_TOOL_NAME;
  return candidates.map((candidate) => {
    const { name: nameAtServer } = candidate;
    const alias = aliases.get(nameAtServer);
    const options = alias === undefined ? [nameAtServer, `${prefixOf(serverName)}_${nameAtServer}`] : [alias];
    const name = options.find(isFree);
    if (name === undefined)
      throw new CmcpError(
        "CATALOG_TOOL_NAME_COLLISION",
        `the catalog has ${options.join(" and ")} already; choose another name with --alias ${nameAtServer}=NAME`,
      );
    taken.add(actionName(name));
    return name === nameAtServer ? candidate : { ...candidate, name, nameAtServer };
  });
}
