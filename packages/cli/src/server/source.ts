import { existsSync } from "node:fs";
import { CmcpError } from "@cmcp/boundary";
import { serverUrl } from "../catalog/live-server.ts";

/** Where a server comes from. */
export type ServerSource =
  /** A package of npm, or of the Python package index. `version` is exact; `null` takes the newest. */
  | {
      readonly kind: "npm" | "pypi";
      readonly name: string;
      readonly version: string | null;
      /** SHA-256 that its archive must have; absent where nothing else than its registry says. */
      readonly sha256?: string;
    }
  /** A server over streamable HTTP. */
  | { readonly kind: "http"; readonly url: URL }
  /** An MCP bundle: its file, or where it is got and the SHA-256 that it must have. */
  | { readonly kind: "bundle"; readonly file: string }
  | { readonly kind: "bundle-url"; readonly url: URL; readonly sha256: string }
  /** An entry of a registry. */
  | { readonly kind: "registry"; readonly name: string; readonly version: string | null }
  /** Files of one's own: a program, a script or a folder. */
  | { readonly kind: "path"; readonly path: string };

/** Longest source that is read, in characters. */
const MAX_SOURCE = 2_048;
/** npm's names (validate-npm-package-name), 214 characters at most. */
const NPM = /^((?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*)(?:@(.+))?$/;
/** Names of the Python Packaging User Guide, "Names and normalization". */
const PYPI = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:(?:@|==)(.+))?$/;
/** A version or tag: no range, no URL, no path. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$/;
const MAX_NAME = 214;

function packageOf(kind: "npm" | "pypi", text: string): ServerSource {
  const [, name = "", version] = (kind === "npm" ? NPM : PYPI).exec(text) ?? [];
  if (name === "" || name.length > MAX_NAME)
    throw new CmcpError("USAGE", `${JSON.stringify(text)} is not NAME or NAME@VERSION of a package`);
  if (version !== undefined && !VERSION.test(version))
    throw new CmcpError("USAGE", `${JSON.stringify(version)} is not an exact version; ranges and URLs are not taken`);
  return { kind, name, version: version ?? null };
}

/** Names of the registry: a reversed domain and a name (server.json, "name"). */
const REGISTRY = /^([A-Za-z0-9.-]{1,200}\/[A-Za-z0-9._-]{1,100})(?:@(.+))?$/;

function registryEntry(text: string): ServerSource {
  const [, name = "", version] = REGISTRY.exec(text) ?? [];
  if (name === "" || (version !== undefined && !VERSION.test(version)))
    throw new CmcpError("USAGE", `${JSON.stringify(text)} is not NAME or NAME@VERSION of a registry's entry`);
  return { kind: "registry", name, version: version ?? null };
}

/** Reads where a server comes from. @throws CmcpError `USAGE` */
export function readSource(text: string): ServerSource {
  if (text.length > MAX_SOURCE) throw new CmcpError("USAGE", `a server's source has at most ${MAX_SOURCE} characters`);
  if (text.startsWith("npx:")) return packageOf("npm", text.slice(4));
  if (text.startsWith("uvx:")) return packageOf("pypi", text.slice(4));
  if (/^https?:\/\//i.test(text)) return { kind: "http", url: serverUrl(text) };
  if (text.startsWith("registry:")) return registryEntry(text.slice(9));
  if (existsSync(text) && /\.(mcpb|dxt)$/i.test(text)) return { kind: "bundle", file: text };
  if (existsSync(text)) return { kind: "path", path: text };
  throw new CmcpError(
    "USAGE",
    `${JSON.stringify(text)} is not npx:NAME, uvx:NAME, registry:NAME, an https URL, or a file or folder that is there`,
  );
}
