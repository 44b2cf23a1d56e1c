import { cpSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Installed, built or private to a folder. */
const NOT_SOURCES = new Set(["node_modules", ".cache", ".git", "out", "dist"]);

/** Copies the repository's sources, and nothing that was installed or built. */
export function copySources(folder: string): void {
  const isSource = (path: string): boolean => !NOT_SOURCES.has(basename(path));
  // One by one, because a folder cannot be copied into one of its own, which the caches are.
  for (const name of readdirSync(ROOT).filter(isSource))
    cpSync(join(ROOT, name), join(folder, name), { recursive: true, filter: isSource });
}
