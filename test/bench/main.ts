/** `make bench`: what the gateway costs, against a bare proxy on the same machine in the same run. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ROOT } from "../gateway/deployment.ts";
import { inOwnProcess } from "./in-own-process.ts";
import { FULL, QUICK } from "./plan.ts";
import { writeFiguresPage } from "./report/figures-page.ts";
import { machine } from "./report/machine.ts";
import { keep } from "./report/results.ts";
import { attempt, failed, isFailure, type Row } from "./report/row.ts";
import { table } from "./report/table.ts";
import { compare } from "./scenario/compare.ts";
import { profile } from "./scenario/profile.ts";
import { SECTIONS, type Section } from "./scenario/sections.ts";
import { withBench } from "./with-bench.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    only: { type: "string" },
    with: { type: "string" },
  },
});
/** Milliseconds a section may take; the longest needs about ten minutes. */
const LIMIT_MS = 12 * 60_000;
/** Exit code of a section that has rows saying what could not be measured. */
const INCOMPLETE = 3;

const plan = values.quick ? QUICK : FULL;
const facts = machine();

async function kept(title: string, rows: readonly Row[]): Promise<void> {
  const folder = join(ROOT, "benchmarks");
  const order = SECTIONS.map((section) => section.title);
  await keep(folder, { machine: facts, mode: plan.mode }, { title, rows }, order);
  if (plan.mode === "full") await writeFiguresPage(folder, SECTIONS);
}

/** Measures a section in this process and adds it to the results. */
async function measure({ title, measure: take }: Section): Promise<void> {
  const rows = await attempt(title, () => withBench(plan, take));
  process.stdout.write(`${table(title, rows)}\n`);
  await kept(title, rows);
  if (rows.some(isFailure)) process.exitCode = INCOMPLETE;
}

/** Measures each section in a process of its own, so that none can spoil or stop another. */
async function measureAll(chosen: readonly Section[]): Promise<void> {
  process.stdout.write(
    `${facts.cpu}, ${facts.cores} cores, ${facts.memoryGiB} GiB, ${facts.system}, Node ${facts.node}\ncommit ${facts.commit}${facts.modified ? " with changes" : ""}, ${plan.mode}, load before ${facts.loadBefore}\n\n`,
  );
  for (const { name, title } of chosen) {
    const ended = await inOwnProcess(
      fileURLToPath(import.meta.url),
      ["--only", name, ...(values.quick ? ["--quick"] : [])],
      LIMIT_MS,
    );
    if (ended !== 0) process.exitCode = INCOMPLETE;
    if (ended === 0 || ended === INCOMPLETE) continue;
    const rows = [
      failed(
        title,
        new Error(typeof ended === "number" ? `its process ended with ${ended}` : `its process was ended: ${ended}`),
      ),
    ];
    process.stdout.write(`${table(title, rows)}\n`);
    await kept(title, rows);
  }
}

const names = values.only?.split(",");
const unknown = names?.find((one) => !SECTIONS.some(({ name }) => name === one));
const chosen = SECTIONS.filter(({ name, named }) => names?.includes(name) ?? named !== true);
const [only] = chosen;
if (values.with !== undefined) {
  const folder = resolve(values.with);
  const title = `Beside the build of ${folder}`;
  process.stdout.write(`${table(title, await withBench(plan, (bench) => compare(bench, folder)))}\n`);
} else if (values.profile) await withBench(plan, (bench) => profile(bench, process.stdout));
else if (unknown !== undefined) {
  process.stderr.write(`there is no section ${unknown}; there are ${SECTIONS.map(({ name }) => name).join(", ")}\n`);
  process.exitCode = 2;
} else if (names?.length === 1 && only !== undefined) {
  await measure(only);
  // What a failed section left open must not keep the process.
  process.exit();
} else await measureAll(chosen);
