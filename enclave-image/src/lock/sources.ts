import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { InputLock, LockedPackage } from "./lock.ts";

const PUBLIC_MIRROR = "http://deb.debian.org";
const SNAPSHOT = "https://snapshot.debian.org/archive";

/** The archive mirrors this machine's apt uses; empty where there is no apt. */
export function configuredMirrors(folder = "/etc/apt"): string[] {
  const files = [join(folder, "sources.list"), ...listed(join(folder, "sources.list.d"))];
  const found = files.flatMap((file) => mirrorsIn(readOptional(file)));
  return [...new Set(found)];
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.(list|sources)$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    // Not a Debian machine: the public mirror serves.
    return [];
  }
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Mirrors in both of apt's formats (sources.list(5)). */
function mirrorsIn(text: string): string[] {
  const lines = text.split("\n").filter((line) => /^\s*(deb|URIs:)\s/i.test(line));
  return lines.flatMap((line) => line.match(/https?:\/\/\S+/g) ?? []).map((uri) => uri.replace(/\/+$/, ""));
}

/**
 * Where a package may be had, best first: the machine's own mirror, the public one, and the snapshot archive, which
 * keeps every version for good. None of them is trusted; the hash decides.
 */
export function sourcesOf(entry: LockedPackage, lock: InputLock, mirrors: readonly string[]): string[] {
  const own = mirrors.filter((mirror) => mirror.endsWith(`/${entry.archive}`));
  const bases = [...own, `${PUBLIC_MIRROR}/${entry.archive}`, `${SNAPSHOT}/${entry.archive}/${lock.snapshot}`];
  return [...new Set(bases)].map((base) => `${base}/${entry.path}`);
}
