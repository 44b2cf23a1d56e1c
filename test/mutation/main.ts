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
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "../gateway/deployment.ts";
import { EQUIVALENT, type Equivalent } from "./equivalent.ts";
import { inLanes } from "./lanes.ts";
import { lineOf, nameOf, type Mutant } from "./mutant.ts";
import { JUDGED, type Judged } from "./packages.ts";
import { Project } from "./project.ts";
import { measureTest, tryMutant, type Verdict } from "./runner.ts";
import { drawn } from "./sample.ts";

const COUNT = 12;
const LANES = availableParallelism();

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Described {
  readonly file: string;
  readonly line: { readonly number: number; readonly text: string };
  readonly name: string;
}

function describe(mutant: Mutant): Described {
  const source = readFileSync(mutant.file, "utf8");
  return { file: relative(ROOT, mutant.file), line: lineOf(source, mutant), name: nameOf(source, mutant) };
}

function isThe(equivalent: Equivalent, { file, line, name }: Described): boolean {
  return equivalent.file === file && equivalent.line === line.text && equivalent.name === name;
}

/** The mutants of a package that are not equivalent to its source. Errors: one on the list stands for no mutant. */
function candidates({ sources }: Judged, project: Project): Mutant[] {
  const mutants = project.mutants(join(ROOT, sources));
  const listed = EQUIVALENT.filter(({ file }) => file.startsWith(`${sources}/`));
  const files = new Set(listed.map(({ file }) => join(ROOT, file)));
  const described = new Map(
    mutants.filter(({ file }) => files.has(file)).map((mutant) => [mutant, describe(mutant)] as const),
  );
  for (const one of listed)
    if (![...described.values()].some((other) => isThe(one, other)))
      throw new Error(`no mutant in ${one.file} is "${one.name}" on the line "${one.line}"`);
  return mutants.filter((mutant) => {
    const known = described.get(mutant);
    return known === undefined || !listed.some((one) => isThe(one, known));
  });
}

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
