import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** A package of the registry whose code is in a bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json says: an SPDX expression, or words. */
  readonly licence: string | undefined;
  /** Where it is installed, from the repository's root. */
  readonly folder: string;
}

/** Folder of the installed package an input file belongs to; `null` for our own sources. */
function packageFolder(input: string): string | null {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return match?.[1] ?? null;
}

/** Every package that has bytes in the bundles. */
export async function bundledPackages(root: string, metafiles: readonly Metafile[]): Promise<BundledPackage[]> {
  const folders = new Set<string>();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = bytesInOutput > 0 ? packageFolder(input) : null;
        if (folder !== null) folders.add(folder);
      }
    }
  }
  return await Promise.all(
    [...folders].map(async (folder) => {
      const { name, version, license } = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8")) as {
        name: string;
        version: string;
        license?: string;
      };
      return { name, version, licence: license, folder };
    }),
  );
}
