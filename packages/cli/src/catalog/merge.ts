import { CmcpError, canonicalText, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { EntrySection, ReviewedEntry } from "./entries.ts";

/** What a merge did with each imported entry. */
export interface MergeResult {
  /** The whole catalog, in the form its file had where it holds tools alone. */
  readonly catalog: JsonValue;
  readonly added: readonly string[];
  readonly replaced: readonly string[];
  /** Stood there with the same server, key and definition; left as it was approved. */
  readonly unchanged: readonly string[];
}

const NAMES: Readonly<Record<EntrySection, readonly string[]>> = {
  entries: ["tool_name"],
  resources: ["uri", "uri_template"],
  prompts: ["prompt_name"],
};

type Sections = Record<EntrySection | "servers", JsonValue[]>;

function sectionsOf(catalog: JsonValue): Sections {
  const document: JsonValue = Array.isArray(catalog) ? { entries: catalog } : catalog;
  if (!isJsonObject(document) || !Array.isArray(document.entries))
    throw new CmcpError("CATALOG_INVALID", "a catalog is an array of entries, or an object with the key `entries`");
  const list = (name: string): JsonValue[] => (Array.isArray(document[name]) ? [...document[name]] : []);
  return { entries: list("entries"), servers: list("servers"), resources: list("resources"), prompts: list("prompts") };
}

/** The document of these sections. Tools alone stay an array where the file had one. */
function documentOf({ entries, ...further }: Sections, before: JsonValue): JsonValue {
  const present = Object.entries(further).filter(
    ([name, list]) => list.length > 0 || (isJsonObject(before) && name in before),
  );
  return present.length === 0 && Array.isArray(before) ? entries : { entries, ...Object.fromEntries(present) };
}

/** Members of a server's entry that say how it is known. */
const TRUST = ["trust", "tls_fingerprint", "issuer_pins", "roots"] as const;

/** How a server is known, as one text. Without `trust` it is by its key. */
function trustText(server: JsonObject): string {
  return canonicalText(
    Object.fromEntries(TRUST.map((name) => [name, server[name] ?? (name === "trust" ? "pinned" : null)])),
  );
}

/** A server's entry that is known as another one says. */
function withTrustOf(known: JsonObject, server: JsonObject): JsonObject {
  const isTrust = (name: string): boolean => TRUST.some((one) => one === name);
  return {
    ...Object.fromEntries(Object.entries(known).filter(([name]) => !isTrust(name))),
    ...Object.fromEntries(Object.entries(server).filter(([name]) => isTrust(name))),
  };
}

/** What tells a server from another: its URL, or the name of one that is started. */
function addressOf(server: JsonObject): JsonValue | undefined {
  return server.transport === "stdio" ? `stdio:${JSON.stringify(server.display_name ?? server.name)}` : server.url;
}

/** Address and trust of the server of an entry: its own, or the named one's. */
function serverOf(
  entry: JsonObject,
  servers: readonly JsonValue[],
): { readonly url: JsonValue | undefined; readonly trust: string | undefined } {
  const { server } = entry;
  const found = typeof server === "string" ? servers.find((one) => isJsonObject(one) && one.name === server) : server;
  return isJsonObject(found)
    ? { url: addressOf(found), trust: trustText(found) }
    : { url: undefined, trust: undefined };
}

/**
 * Puts reviewed entries into a catalog. What was approved stays: another definition or key needs the entry's
 * name in `replace`, and a name that belongs to another server is never taken over.
 *
 * @param server - the server's own entry, for what refers to it by name
 * @throws CmcpError `CATALOG_TOOL_NAME_COLLISION`, `CATALOG_NAME_COLLISION`, `CATALOG_DRIFT_DETECTED` naming everything
 * changed
 */
export function mergeEntries(
  catalog: JsonValue,
  reviewed: readonly ReviewedEntry[],
  server: JsonObject,
  replace: ReadonlySet<string>,
): MergeResult {
  const sections = sectionsOf(catalog);
  const merged = { added: [] as string[], replaced: [] as string[], unchanged: [] as string[] };
  const changed: string[] = [];
  if (reviewed.some(({ section }) => section !== "entries") || server.credential !== undefined)
    mergeServer(sections.servers, server, replace.size > 0);
  const insert = ({ section, name, entry }: ReviewedEntry): void => {
    const list = sections[section];
    const at = list.findIndex((known) => isJsonObject(known) && NAMES[section].some((key) => known[key] === name));
    const known = list[at];
    if (!isJsonObject(known)) {
      list.push(entry);
      merged.added.push(name);
      return;
    }
    const [before, after] = [serverOf(known, sections.servers), serverOf(entry, sections.servers)];
    if (before.url !== after.url)
      throw new CmcpError(
        section === "entries" ? "CATALOG_TOOL_NAME_COLLISION" : "CATALOG_NAME_COLLISION",
        `the catalog has ${name} from another server, ${JSON.stringify(before.url)}`,
      );
    if (replace.has(name)) {
      list[at] = entry;
      merged.replaced.push(name);
    } else if (known.definition_hash === entry.definition_hash && before.trust === after.trust)
      merged.unchanged.push(name);
    else changed.push(name);
  };
  for (const one of reviewed) insert(one);
  if (changed.length > 0)
    throw new CmcpError(
      "CATALOG_DRIFT_DETECTED",
      `approved with another definition or key: ${changed.join(", ")}; review each and name it with --replace. ` +
        "Nothing was written",
    );
  return { catalog: documentOf(sections, catalog), ...merged };
}

/** Names the server, unless the catalog does. Another key needs `--replace`, as an entry's would. */
function mergeServer(servers: JsonValue[], server: JsonObject, replacing: boolean): void {
  const at = servers.findIndex(
    (known) => isJsonObject(known) && (known.url === server.url || known.name === server.name),
  );
  const known = servers[at];
  if (!isJsonObject(known)) servers.push(server);
  else if (known.url !== server.url)
    throw new CmcpError(
      "CATALOG_NAME_COLLISION",
      `the catalog has another server named ${JSON.stringify(server.name)}, ${JSON.stringify(known.url)}; ` +
        "choose one with --server-name",
    );
  else if (trustText(known) !== trustText(server)) {
    if (!replacing)
      throw new CmcpError(
        "CATALOG_DRIFT_DETECTED",
        `the server shows another key than the catalog's ${JSON.stringify(known.name)} has, or is known in another way; review what it ` +
          "offers and name it with --replace. Nothing was written",
      );
    servers[at] = withTrustOf(known, server);
  }
}

/** The name a catalog has for a server, by its URL. */
export function knownServerName(catalog: JsonValue, url: URL): string | undefined {
  const known = sectionsOf(catalog).servers.find((one) => isJsonObject(one) && one.url === url.href);
  return isJsonObject(known) && typeof known.name === "string" ? known.name : undefined;
}
