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
  return typeof text === "string" ? destinationOf(text) : undefined;
}

/** Host and port of an http or https URL; `undefined` for any other text. */
export function destinationOf(text: string): HostPort | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const port = url.port === "" ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  return port === undefined ? undefined : parseHostPort(`${url.hostname}:${port}`);
}

/** The authorization servers of a named server. */
function issuersOf(server: JsonValue): readonly JsonValue[] {
  const authorization = isJsonObject(server) ? server["authorization"] : undefined;
  const { issuers = [], login = null } = isJsonObject(authorization) ? authorization : {};
  const named = Array.isArray(issuers) ? [...issuers, login] : [login];
  return named.map((each) => (isJsonObject(each) ? { url: each["issuer"] ?? null } : null));
}

/** Every server a catalog holds, as its entries and its `servers` have them, with the authorization servers of the latter. */
function serversOf(raw: JsonValue): readonly (JsonValue | undefined)[] {
  const [entries, named] = isJsonObject(raw) ? [raw["entries"], raw["servers"]] : [raw, undefined];
  const ofEntries = Array.isArray(entries)
    ? entries.map((entry) => (isJsonObject(entry) ? entry["server"] : undefined))
    : [];
  const ofNamed = Array.isArray(named) ? named : [];
  return [...ofEntries, ...ofNamed, ...ofNamed.flatMap(issuersOf)];
}

/** Where a stdio server may connect to. */
function egressOf(server: JsonValue | undefined): readonly HostPort[] {
  const spawn = isJsonObject(server) ? server["spawn"] : undefined;
  const targets = isJsonObject(spawn) ? spawn["egress"] : undefined;
  if (!Array.isArray(targets)) return [];
  return targets.flatMap((target) => {
    const { host, port } = isJsonObject(target) ? target : {};
    if (typeof host !== "string" || typeof port !== "number") return [];
    return parseHostPort(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`) ?? [];
  });
}

/**
 * The host and port of every server a catalog names by URL, and of what its stdio servers may reach, each once.
 * Entries that the catalog's loader will refuse add nothing.
 */
export function catalogDestinations(raw: JsonValue): readonly HostPort[] {
  const found = new Map<string, HostPort>();
  for (const server of serversOf(raw)) {
    for (const target of [destination(server), ...egressOf(server)])
      if (target !== undefined) found.set(`${target.host} ${target.port}`, target);
  }
  return [...found.values()];
}

/** Where a catalog's stdio servers have their files, each path once. */
export function stdioTrees(raw: JsonValue): readonly string[] {
  const trees = serversOf(raw).map((server) => {
    if (!isJsonObject(server) || server["transport"] !== "stdio" || !isJsonObject(server["spawn"])) return null;
    return server["spawn"]["measure_target"] ?? server["spawn"]["command"];
  });
  return [...new Set(trees.filter((tree) => typeof tree === "string"))];
}
