import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The pages of docs/ in one of two halves, by their order. They speak of injections only where they quote, and those are left out. */
export async function pages(root: string, half: "train" | "test"): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob("docs/**/*.md", { cwd: root })) files.push(file);
  const quoting = /detector|threat|scan/;
  const pages = files.sort().filter((file, at) => at % 2 === (half === "train" ? 0 : 1) && !quoting.test(file));
  return await Promise.all(pages.map((file) => readFile(join(root, file), "utf8")));
}
