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

function destination(entry: JsonValue): HostPort | undefined {
  const server = isJsonObject(entry) ? entry["server"] : undefined;
  const text = isJsonObject(server) ? server["url"] : undefined;
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const port = url.port === "" ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  return port === undefined ? undefined : parseHostPort(`${url.hostname}:${port}`);
}

/** The host and port of every server a catalog names by URL, each once. Entries the catalog's loader will refuse add nothing. */
export function catalogDestinations(raw: JsonValue): readonly HostPort[] {
  const entries = isJsonObject(raw) ? raw["entries"] : raw;
  const found = new Map<string, HostPort>();
  for (const entry of Array.isArray(entries) ? entries : []) {
    const target = destination(entry);
    if (target !== undefined) found.set(`${target.host} ${target.port}`, target);
  }
  return [...found.values()];
}
