import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";

const LICENCE_FILE = /^(licen[cs]e|notice|copying)/i;

/** Folder of the installed package an input file belongs to; `null` for our own sources. */
function packageFolder(input: string): string | null {
  const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return match?.[1] ?? null;
}

/** Name, version and licence texts of every package that ended up in the bundles, in a fixed order. */
export async function thirdPartyNotices(root: string, metafiles: readonly Metafile[]): Promise<string> {
  const folders = new Set<string>();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = bytesInOutput > 0 ? packageFolder(input) : null;
        if (folder !== null) folders.add(folder);
      }
    }
  }
  const notices: string[] = [];
  for (const folder of folders) {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8")) as { name: string; version: string; license?: string };
    const files = (await readdir(join(root, folder))).filter((file) => LICENCE_FILE.test(file)).sort();
    const texts = await Promise.all(files.map((file) => readFile(join(root, folder, file), "utf8")));
    notices.push(`${name} ${version} (${license ?? "licence in the text below"})\n\n${texts.map((text) => text.trim()).join("\n\n")}\n`);
  }
  return notices.sort().join(`\n${"-".repeat(80)}\n\n`);
}
