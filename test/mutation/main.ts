/**
 * Samples mutants of the packages that decide and verify, and runs each package's own tests against each.
 *
 *   --seed=N        draw these mutants again, instead of some by chance
 *   --count=N       so many a package (12)
 *   --package=NAME  this package alone; may stand more than once
 *
 * A mutant is shown to the tests by a module hook; the tree stays as it is.
 */
import { randomInt } from "node:crypto";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "../gateway/deployment.ts";
import { candidates, describe } from "./candidates.ts";
import { inLanes } from "./lanes.ts";
import { JUDGED, type Judged } from "./packages.ts";
import { Project } from "./project.ts";
import { measureTest, tryMutant, type Verdict } from "./runner.ts";
import { drawn } from "./sample.ts";

const COUNT = 12;
const LANES = availableParallelism();

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function judge(judged: Judged, project: Project, options: { seed: number; count: number }): Promise<Verdict[]> {
  const files = globSync([...judged.tests], { cwd: ROOT });
  const tests = await inLanes(LANES, files.sort(), (file) => measureTest(join(ROOT, file), ROOT));
  const mutants = drawn(candidates(judged, project), { ...options, accepts: (mutant) => project.accepts(mutant) });
  return await inLanes(LANES, mutants, (mutant) => tryMutant(mutant, tests, ROOT));
}

function report({ name }: Judged, verdicts: readonly Verdict[]): void {
  const survivors = verdicts.filter(({ killedBy }) => killedBy === null);
  const killed = verdicts.length - survivors.length;
  print(
    `${name.padEnd(12)} ${killed} of ${verdicts.length} killed (${Math.round((100 * killed) / verdicts.length)} %)`,
  );
  for (const { mutant } of survivors) {
    const { file, line, name: what } = describe(mutant);
    print(`  survives  ${file}:${line.number}  ${what}`);
    print(`            ${line.text}`);
  }
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    count: { type: "string", default: `${COUNT}` },
    package: { type: "string", multiple: true, default: JUDGED.map(({ name }) => name) },
  },
});
const options = { seed: Number(values.seed ?? randomInt(2 ** 31)), count: Number(values.count) };
if (!Number.isSafeInteger(options.seed) || !Number.isSafeInteger(options.count) || options.count < 1)
  throw new Error("--seed and --count are integers, and --count is at least 1");
for (const name of values.package)
  if (!JUDGED.some((judged) => judged.name === name))
    throw new Error(`--package is one of ${JUDGED.map((judged) => judged.name).join(", ")}`);

print(`seed ${options.seed}`);
const project = new Project(ROOT);
let survived = 0;
let tried = 0;
try {
  for (const judged of JUDGED.filter(({ name }) => values.package.includes(name))) {
    const verdicts = await judge(judged, project, options);
    report(judged, verdicts);
    survived += verdicts.filter(({ killedBy }) => killedBy === null).length;
    tried += verdicts.length;
  }
} finally {
  project.close();
}
print(`${tried - survived} of ${tried} killed, ${survived} survive (seed ${options.seed})`);
