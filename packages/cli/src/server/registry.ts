import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { download } from "./download.ts";
import { readSource, type ServerSource } from "./source.ts";

/** The public registry of the MCP project. */
export const PUBLIC_REGISTRY = "https://registry.modelcontextprotocol.io";
/** Largest entry, in bytes. */
const MAX_ENTRY_BYTES = 1024 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;
/** How a registry's package types are written as sources. */
const PREFIXES: Readonly<Record<string, string>> = { npm: "npx:", pypi: "uvx:" };

/** What an entry of a registry stands for. */
export type RegistryTarget =
  | { readonly source: ServerSource; readonly sha256: string | null }
  /** A bundle, which must have this digest. */
  | { readonly bundle: URL; readonly sha256: string };

function refuse(name: string, why: string): never {
  throw new CmcpError("PACKAGE_REFUSED", `the registry's entry ${JSON.stringify(name)} ${why}`);
}

function digestOf(name: string, entry: JsonObject): string | null {
  const { fileSha256: digest } = entry;
  if (digest === undefined) return null;
  return typeof digest === "string" && SHA256.test(digest) ? digest : refuse(name, "has a fileSha256 that is none");
}

/** A package of an entry; `null` for a kind that cannot be run here. */
function targetOf(name: string, entry: JsonObject): RegistryTarget | null {
  const { registryType: type, identifier, version } = entry;
  if (typeof type !== "string" || typeof identifier !== "string") return null;
  const sha256 = digestOf(name, entry);
  if (type === "mcpb") {
    if (sha256 === null) return refuse(name, "has a bundle without fileSha256, so nothing pins it");
    const bundle = URL.parse(identifier);
    return bundle === null ? refuse(name, "has a bundle without a URL") : { bundle, sha256 };
  }
  const prefix = Object.hasOwn(PREFIXES, type) ? PREFIXES[type] : undefined;
  if (prefix === undefined) return null;
  if (typeof version !== "string") return refuse(name, "has a package without an exact version");
  return { source: readSource(`${prefix}${identifier}@${version}`), sha256 };
}

/**
 * Reads a registry's entry (`server.json`) as what can be added: its first package of npm, PyPI or a bundle, else its
 * server over streamable HTTP.
 * @throws CmcpError `PACKAGE_REFUSED` naming the entry
 */
export function readEntry(name: string, bytes: Uint8Array): RegistryTarget {
  const answer = parseJson(untrusted(bytes));
  const inner = isJsonObject(answer) && isJsonObject(answer["server"]) ? answer["server"] : answer;
  const entry: JsonObject = isJsonObject(inner) ? inner : {};
  if (entry["name"] !== name) return refuse(name, "is of another name");
  const list = (member: string): readonly JsonObject[] => {
    const value = entry[member];
    return Array.isArray(value) ? value.filter((one) => isJsonObject(one)) : [];
  };
  for (const one of list("packages")) {
    const target = targetOf(name, one);
    if (target !== null) return target;
  }
  const remote = list("remotes").find(({ type }) => type === "streamable-http");
  const { url } = remote ?? {};
  return typeof url === "string"
    ? { source: readSource(url), sha256: null }
    : refuse(name, "has no package of npm or PyPI, no bundle, and no server over streamable HTTP");
}

/**
 * Asks a registry for a server's entry.
 * @param version `null` for the newest
 * @throws CmcpError `PACKAGE_UNAVAILABLE`, and as `readEntry`
 */
export async function askRegistry(registry: string, name: string, version: string | null): Promise<RegistryTarget> {
  const base = URL.parse(registry);
  if (base === null) throw new CmcpError("USAGE", "--registry is the URL of a registry");
  const path = `/v0/servers/${encodeURIComponent(name)}/versions/${encodeURIComponent(version ?? "latest")}`;
  return readEntry(name, await download(new URL(path, base), MAX_ENTRY_BYTES));
}
