import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A part of a Markdown file that a script writes: what stands between its two markers. */
export interface GeneratedSection {
  /** The file, seen from the repository's root. */
  readonly file: string;
  /** Name in the markers `<!-- begin generated: NAME -->` and `<!-- end generated: NAME -->`. */
  readonly name: string;
  readonly render: () => string | Promise<string>;
}

interface Located {
  readonly path: string;
  readonly text: string;
  /** Where the section begins and ends in {@link text}, markers excluded. */
  readonly from: number;
  readonly to: number;
}

async function locate({ file, name }: GeneratedSection): Promise<Located> {
  const path = join(root, file);
  const text = await readFile(path, "utf8");
  const begin = `<!-- begin generated: ${name} -->\n`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(`<!-- end generated: ${name} -->`, from);
  if (from < begin.length || to < from) throw new Error(`${file} has no markers for ${name}`);
  return { path, text, from, to };
}

/** The section as it stands in its file, and as it should. @throws Error when the file has no markers for it */
export async function compareSection(
  section: GeneratedSection,
): Promise<{ readonly written: string; readonly wanted: string }> {
  const { text, from, to } = await locate(section);
  return { written: text.slice(from, to), wanted: await section.render() };
}

/** Writes the section into its file. @throws Error when the file has no markers for it */
export async function writeSection(section: GeneratedSection): Promise<void> {
  const { path, text, from, to } = await locate(section);
  await writeFile(path, text.slice(0, from) + (await section.render()) + text.slice(to));
}

/** One row of a Markdown table. */
export function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
}
