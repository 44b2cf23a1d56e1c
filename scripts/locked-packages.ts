import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const LOCKFILE = join(fileURLToPath(new URL("..", import.meta.url)), "pnpm-lock.yaml");

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly resolution: { readonly integrity?: string } }>>;
}

/** `name@version` and integrity of every package of the lockfile, platforms that are not this one included. */
export function lockedPackages(): Map<string, string> {
  const { packages } = parse(readFileSync(LOCKFILE, "utf8")) as Lockfile;
  return new Map(Object.entries(packages).map(([key, { resolution }]) => [key, resolution.integrity ?? ""]));
}
