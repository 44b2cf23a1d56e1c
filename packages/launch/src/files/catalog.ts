import { CmcpError, isJsonObject, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import { parseHostPort, type HostPort } from "../config/fields.ts";
import { readBounded } from "./read.ts";

const MAX_CATALOG_BYTES = 8 * 1024 * 1024;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "https:": 443, "http:": 80 };

/** Reads a catalog file as JSON, not yet as a catalog. @throws CmcpError `CATALOG_INVALID` naming the path */
export async function readCatalogFile(path: string): Promise<JsonValue> {
  const bytes = await readBounded(path, { what: "catalog", code: "CATALOG_INVALID", maxBytes: MAX_CATALOG_BYTES });
  try {
    return parseJson(untrusted(bytes), { maxBytes: MAX_CATALOG_BYTES, maxDepth: 64, maxItems: 500_000 });
  } catch (thrown) {
    const why = thrown instanceof CmcpError ? thrown.message : "not JSON";
    throw new CmcpError("CATALOG_INVALID", `${path}: ${why}`, { cause: thrown, detail: { file: path } });
  }
}

function destination(server: JsonValue | undefined): HostPort | undefined {
  const text = isJsonObject(server) ? server["url"] : undefined;
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const port = url.port === "" ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  return port === undefined ? undefined : parseHostPort(`${url.hostname}:${port}`);
}

/** Every server a catalog holds, as its entries and its `servers` have them. */
function serversOf(raw: JsonValue): readonly (JsonValue | undefined)[] {
  const [entries, named] = isJsonObject(raw) ? [raw["entries"], raw["servers"]] : [raw, undefined];
  const ofEntries = Array.isArray(entries)
    ? entries.map((entry) => (isJsonObject(entry) ? entry["server"] : undefined))
    : [];
  return [...ofEntries, ...(Array.isArray(named) ? named : [])];
}

/**
 * The host and port of every server a catalog names by URL, each once. Entries the catalog's loader will refuse add
 * nothing.
 */
export function catalogDestinations(raw: JsonValue): readonly HostPort[] {
  const found = new Map<string, HostPort>();
  for (const server of serversOf(raw)) {
    const target = destination(server);
    if (target !== undefined) found.set(`${target.host} ${target.port}`, target);
  }
  return [...found.values()];
}

/** Whether a catalog has servers that are started beside the enclave. */
export function hasStdioServers(raw: JsonValue): boolean {
  return serversOf(raw).some((server) => isJsonObject(server) && server["transport"] === "stdio");
}
