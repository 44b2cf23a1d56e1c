import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../gateway/deployment.ts";
import { tryMutant } from "../mutation/runner.ts";
import type { TestedMutant } from "./approval-mutants.ts";

/** Milliseconds that the tests take at most without a mutant, on a slow machine. */
const TEST_MS = 60_000;

/** Whether a mutant's test fails. Errors: the source does not have the text once. */
export async function isKilled({ file, edit: [find, replacement], test }: TestedMutant): Promise<boolean> {
  const path = join(ROOT, file);
  const source = await readFile(path, "utf8");
  if (source.split(find).length !== 2) throw new Error(`${file} does not have this once: ${find}`);
  const start = source.indexOf(find);
  const mutant = { file: path, start, end: start + find.length, replacement, operator: "guard" } as const;
  const tests = [{ file: join(ROOT, test), loads: new Set([pathToFileURL(path).href]), ms: TEST_MS }];
  const { killedBy } = await tryMutant(mutant, tests, ROOT);
  return killedBy !== null;
}
