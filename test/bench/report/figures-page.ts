import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Section } from "../scenario/sections.ts";
import type { Results, TakenSection } from "./results.ts";
import { shown, verdict } from "./table.ts";

/** The latest figures of a section, and the file that has them. */
interface Latest {
  readonly file: string;
  readonly results: Results;
  readonly section: TakenSection;
}

const HEAD = `# Figures

\`make bench\` writes this page from the newest full results of each section. \
[Benchmarks](README.md) says what is measured and how to read it. Where
rounds were measured, the figure is their median, with the lowest and the highest beside it.
`;

/** The newest sections of all full results. Results without a spread are of an older form, and are left out. */
async function latest(folder: string): Promise<ReadonlyMap<string, Latest>> {
  const found = new Map<string, Latest>();
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json") && !name.endsWith("-quick.json"));
  for (const file of files) {
    const results = JSON.parse(await readFile(join(folder, file), "utf8")) as Results;
    for (const section of results.sections) {
      const before = found.get(section.title);
      if (section.rows.every((row) => "spread" in row) && (before?.section.takenAt ?? "") < section.takenAt)
        found.set(section.title, { file, results, section });
    }
  }
  return found;
}

/** Load average for each core above which a machine has much more to do than the bench gives it. */
const BUSY = 2.5;
const BUSY_NOTE = " **The machine was busy with other work: of these figures, only ratios and CPU say something.**";

function textOf(name: string, { file, results: { machine }, section }: Latest): string {
  const rows = section.rows.map((row) =>
    [row.what, shown(row), row.target ?? "", verdict(row), row.detail].map((cell) => cell.replaceAll("|", "\\|")),
  );
  const { cpu, cores, memoryGiB, node, commit, modified } = machine;
  const changes = modified ? " with changes" : "";
  const place = `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, commit ${commit}${changes}`;
  const busy = Math.max(section.loadBefore, section.loadAfter) > BUSY * cores;
  return `
## ${section.title}

\`make bench ARGS="--only ${name}"\`, ${section.takenAt.slice(0, 10)}, [results](${file}). ${place}. \
Load average ${section.loadBefore} before and ${section.loadAfter} after.${busy ? BUSY_NOTE : ""}

| what | figure | target | | detail |
|---|---|---|---|---|
${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}

/** Writes the page of all figures beside the results. */
export async function writeFiguresPage(folder: string, sections: readonly Section[]): Promise<void> {
  const found = await latest(folder);
  const parts = sections.flatMap(({ name, title }) => {
    const one = found.get(title);
    return one === undefined ? [] : [textOf(name, one)];
  });
  await writeFile(join(folder, "figures.md"), `${HEAD}${parts.join("")}`);
}
