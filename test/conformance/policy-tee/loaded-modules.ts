import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ROOT } from "../../gateway/deployment.ts";

/** Environment that makes a shipped command write what it loads to `log`. */
export function loggingModules(log: string): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "log-modules.ts")).href}`,
    CMCP_MODULE_LOG: log,
  };
}

/** The source files that a process loaded, from the repository's folder: as modules, or in bundles, whose comments name them. */
export async function loadedSources(log: string): Promise<string[]> {
  const files = (await readFile(log, "utf8"))
    .split("\n")
    .filter((url) => url.startsWith("file:"))
    .map((url) => fileURLToPath(url));
  const bundled = await Promise.all(
    files.map(async (file) =>
      [...(await readFile(file, "utf8")).matchAll(/^\/\/ (\S+\.(?:ts|js|mjs|cjs))$/gm)].map(([, path = ""]) => path),
    ),
  );
  return [...files.map((file) => relative(ROOT, file)), ...bundled.flat()];
}
