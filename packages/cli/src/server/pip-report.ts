import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { PinnedPackage } from "./server-tree.ts";

const MAX_REPORT_BYTES = 32 * 1024 * 1024;
const MAX_PACKAGES = 1_000;
/** Core metadata, "Name"; PEP 440. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.!+_-]*$/;
const SHA256 = /^[0-9a-f]{64}$/;

function member(value: JsonValue | undefined, name: string): JsonObject {
  const found = isJsonObject(value) ? value[name] : undefined;
  return isJsonObject(found) ? found : {};
}

function readPackage(value: JsonValue): PinnedPackage {
  const { name, version } = member(value, "metadata");
  const info = member(value, "download_info");
  const { sha256 } = member(info["archive_info"], "hashes");
  const refuse = (why: string): never => {
    throw new CmcpError("PACKAGE_REFUSED", `the package ${JSON.stringify(name ?? null)} ${why}`);
  };
  if (typeof name !== "string" || typeof version !== "string" || !NAME.test(name) || !VERSION.test(version))
    return refuse("has no name or version");
  const { url } = info;
  if (!isJsonObject(value) || value["is_direct"] === true || typeof url !== "string")
    return refuse("comes from another place than the index");
  if (!new URL(url).pathname.endsWith(".whl")) return refuse("is not a built package (wheel)");
  if (typeof sha256 !== "string" || !SHA256.test(sha256)) return refuse("has no SHA-256, so nothing pins its files");
  return { name, version, integrity: `sha256:${sha256}` };
}

/**
 * Reads an installation report of pip (version 1). Every package must be a wheel of the index, pinned by SHA-256.
 * @throws CmcpError `PACKAGE_REFUSED` naming the package
 */
export function readPipReport(text: string): readonly PinnedPackage[] {
  const limits = { maxBytes: MAX_REPORT_BYTES, maxDepth: 32, maxItems: 500_000 };
  const report = parseJson(untrusted(Buffer.from(text)), limits);
  const list = isJsonObject(report) && report["version"] === "1" ? report["install"] : undefined;
  if (!Array.isArray(list) || list.length > MAX_PACKAGES)
    throw new CmcpError(
      "PACKAGE_REFUSED",
      `pip wrote no report of at most ${MAX_PACKAGES} packages; use pip 23 or newer`,
    );
  return list.map(readPackage);
}

/** The packages as a file of requirements that `pip install --require-hashes` takes. */
export function requirementsOf(packages: readonly PinnedPackage[]): string {
  return packages.map(({ name, version, integrity }) => `${name}==${version} --hash=${integrity}\n`).join("");
}

/** A name as the index compares it (Python Packaging User Guide, "Names and normalization"). */
export function normalName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

/** The console scripts of a package's entry_points.txt, by name. */
export function consoleScripts(text: string): readonly string[] {
  let section = "";
  const names: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, header] = /^\[([^\]]*)\]\s*$/.exec(line) ?? [];
    section = header?.trim() ?? section;
    const [, name] = /^([A-Za-z0-9._-]+)\s*=/.exec(line) ?? [];
    if (section === "console_scripts" && name !== undefined) names.push(name);
  }
  return names;
}
