import { mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Machine } from "./machine.ts";
import type { Row } from "./row.ts";

/** The rows of one section, and when they were taken. */
export interface TakenSection {
  readonly title: string;
  readonly takenAt: string;
  /** Load average over one minute when the section began, and when it was done. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly rows: readonly Row[];
}

/** A file of results. */
export interface Results {
  readonly date: string;
  readonly mode: string;
  /** As of the latest section. */
  readonly machine: Machine;
  readonly sections: readonly TakenSection[];
}

/** The file of a commit's results: one that is there already, else one named after today. */
async function fileOf(folder: string, commit: string, mode: string): Promise<string> {
  const ending = `-${commit}${mode === "quick" ? "-quick" : ""}.json`;
  const known = (await readdir(folder)).find((name) => name.endsWith(ending));
  return join(folder, known ?? `${new Date().toISOString().slice(0, 10)}${ending}`);
}

async function sectionsOf(path: string): Promise<readonly TakenSection[]> {
  try {
    return (JSON.parse(await readFile(path, "utf8")) as Results).sections;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}

/**
 * Puts a section into the results of the commit, in place of an earlier one of its title, and returns the file's path.
 * @param order titles in the order of the report
 */
export async function keep(
  folder: string,
  { machine, mode }: Pick<Results, "machine" | "mode">,
  { title, rows }: Pick<TakenSection, "title" | "rows">,
  order: readonly string[],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = await fileOf(folder, machine.commit, mode);
  const taken: TakenSection = {
    title,
    takenAt: new Date().toISOString(),
    loadBefore: machine.loadBefore,
    loadAfter: Number((loadavg()[0] ?? 0).toFixed(2)),
    rows,
  };
  const sections = [...(await sectionsOf(path)).filter((section) => section.title !== title), taken].toSorted(
    (left, right) => order.indexOf(left.title) - order.indexOf(right.title),
  );
  const results: Results = { date: taken.takenAt.slice(0, 10), mode, machine, sections };
  await writeFile(`${path}.tmp`, `${JSON.stringify(results, null, 2)}\n`);
  await rename(`${path}.tmp`, path);
  return path;
}
