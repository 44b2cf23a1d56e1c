import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BundledPackage } from "./bundled-packages.ts";

const LICENCE_FILE = /^(licen[cs]e|notice|copying)/i;

/** Name, version and licence texts of every package that ended up in the bundles, in a fixed order. */
export async function thirdPartyNotices(root: string, packages: readonly BundledPackage[]): Promise<string> {
  const notices: string[] = [];
  for (const { name, version, licence, folder } of packages) {
    const files = (await readdir(join(root, folder))).filter((file) => LICENCE_FILE.test(file)).sort();
    const texts = await Promise.all(files.map((file) => readFile(join(root, folder, file), "utf8")));
    notices.push(
      `${name} ${version} ` +
        `(${licence ?? "licence in the text below"})\n\n${texts.map((text) => text.trim()).join("\n\n")}\n`,
    );
  }
  return notices.sort().join(`\n${"-".repeat(80)}\n\n`);
}
