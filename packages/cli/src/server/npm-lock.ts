import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { PinnedPackage } from "./server-tree.ts";

/** Largest lock file, in bytes, and most packages of one server. */
export const MAX_LOCK_BYTES = 16 * 1024 * 1024;
const MAX_PACKAGES = 5_000;
/** Subresource integrity (W3C): SHA-512, which npm writes for everything published since 2017. */
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/;
const FOLDER = "node_modules/";

/** What a lock file of npm pins. */
export interface NpmLock {
  readonly packages: readonly PinnedPackage[];
  /** Packages with scripts that npm would run at installation. */
  readonly withScripts: readonly string[];
}

function refuse(name: string, why: string): never {
  throw new CmcpError("PACKAGE_REFUSED", `the package ${JSON.stringify(name)} ${why}`);
}

function readPackage(path: string, entry: JsonObject): PinnedPackage | null {
  const name = path.slice(path.lastIndexOf(FOLDER) + FOLDER.length);
  // Its files are in the archive of the package it is bundled with.
  if (entry["inBundle"] === true) return null;
  const { version, resolved, integrity, link } = entry;
  if (link === true || typeof version !== "string" || typeof resolved !== "string")
    return refuse(name, "is not a package of a registry");
  if (!/^https?:\/\//.test(resolved)) return refuse(name, "comes from another place than a registry");
  if (typeof integrity !== "string" || !INTEGRITY.test(integrity))
    return refuse(name, "has no SHA-512 integrity, so nothing pins its files");
  return { name, version, integrity };
}

/**
 * Reads package-lock.json (npm, lockfileVersion 3). Every package must be of a registry and pinned by SHA-512.
 * @throws CmcpError `PACKAGE_REFUSED` naming the package
 */
export function readNpmLock(bytes: Uint8Array): NpmLock {
  const lock: JsonValue = parseJson(untrusted(bytes), { maxBytes: MAX_LOCK_BYTES, maxDepth: 16, maxItems: 500_000 });
  if (!isJsonObject(lock) || lock["lockfileVersion"] !== 3 || !isJsonObject(lock["packages"]))
    throw new CmcpError("PACKAGE_REFUSED", "npm wrote a lock file of another form than version 3; use npm 9 or newer");
  const entries = Object.entries(lock["packages"]).filter(([path]) => path !== "");
  if (entries.length > MAX_PACKAGES)
    throw new CmcpError("PACKAGE_REFUSED", `the server has more than ${MAX_PACKAGES} packages`);
  const packages: PinnedPackage[] = [];
  const withScripts: string[] = [];
  for (const [path, entry] of entries) {
    if (!path.startsWith(FOLDER) || !isJsonObject(entry)) return refuse(path, "is outside node_modules");
    const pinned = readPackage(path, entry);
    if (pinned !== null) packages.push(pinned);
    if (entry["hasInstallScript"] === true) withScripts.push(path.slice(FOLDER.length));
  }
  return { packages, withScripts };
}
