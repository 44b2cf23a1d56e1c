/** Runs the taint suite; with `--mutants` against the enclave without each of its guards in turn, which each has to turn it red. */
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { build, type Plugin } from "esbuild";
import { ENCLAVE_SCRIPT } from "../../scripts/enclave-bundle.ts";
import { ROOT } from "../gateway/deployment.ts";
import { nameOf, runCase } from "./case.ts";
import { casesOf } from "./cases.ts";
import { APPROVAL_MUTANTS } from "./approval-mutants.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { inTheClear, startScene } from "./scene.ts";
import { isKilled } from "./tested-mutant.ts";

/** Builds the enclave with one place of its sources changed. */
function changing(mutant: Mutant): Plugin {
  const places = [mutant, ...(mutant.also === undefined ? [] : [mutant.also])];
  return {
    name: "mutant",
    setup: (building) => {
      building.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const place = places.find(({ file }) => path === join(ROOT, file));
        if (place === undefined) return null;
        const { file, edits } = place;
        let contents = await readFile(path, "utf8");
        for (const [find, replace] of edits) {
          if (contents.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
          contents = contents.replace(find, () => replace);
        }
        return { contents, loader: "ts" };
      });
    },
  };
}

/** The first case that fails against a command line; `null` when all pass. */
async function firstFailure(entry?: string): Promise<string | null> {
  let scene;
  try {
    scene = await startScene(inTheClear(entry));
  } catch (thrown) {
    return `the start: ${String(thrown).split("\n", 1)[0]}`;
  }
  try {
    for (const tried of casesOf()) {
      try {
        await runCase(scene, tried);
      } catch (thrown) {
        return `${nameOf(tried)}: ${String(thrown).split("\n", 1)[0]}`;
      }
    }
    return null;
  } finally {
    await scene.close();
  }
}

async function tryMutant(mutant: Mutant): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-mutant-"));
  try {
    await cp(join(ROOT, "packages/cli/dist"), folder, { recursive: true });
    await build({
      ...ENCLAVE_SCRIPT,
      plugins: [changing(mutant), ...(ENCLAVE_SCRIPT.plugins ?? [])],
      absWorkingDir: ROOT,
      entryPoints: { enclave: join(ROOT, "packages/enclave/src/main.ts") },
      outdir: join(folder, "enclave"),
    });
    const failure = await firstFailure(join(folder, "cmcp.mjs"));
    process.stdout.write(`${failure === null ? "SURVIVES" : "killed  "}  ${mutant.name}\n`);
    if (failure !== null) process.stdout.write(`          ${failure}\n`);
    return failure !== null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const cases = casesOf().length;
const failure = await firstFailure();
process.stdout.write(failure === null ? `${cases} cases hold\n` : `FAILS  ${failure}\n`);
let survivors = 0;
if (failure === null && process.argv.includes("--mutants"))
  for (const mutant of MUTANTS) if (!(await tryMutant(mutant))) survivors += 1;
if (failure === null && process.argv.includes("--mutants"))
  for (const mutant of APPROVAL_MUTANTS) {
    const killed = await isKilled(mutant);
    process.stdout.write(`${killed ? "killed  " : "SURVIVES"}  ${mutant.name}\n          ${mutant.test}\n`);
    if (!killed) survivors += 1;
  }
const tried = process.argv.includes("--mutants") ? MUTANTS.length + APPROVAL_MUTANTS.length : 0;
process.stdout.write(`${cases + tried - survivors} passed, ${survivors + (failure === null ? 0 : 1)} failed\n`);
process.exitCode = failure === null && survivors === 0 ? 0 : 1;
