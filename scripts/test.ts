/**
 * Runs every test file with the pinned Node; extra arguments are options of its test runner, and file globs that
 * replace the default set. `--runs=N` is how many of its runs there are at one time.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { NO_SHARED_FOLDER } from "../packages/appraise/src/testing/shared.ts";
import { NO_SWTPM } from "../attestation/src/tpm/transport/testing/swtpm.ts";
import { NO_DOWNLOADS } from "../packages/measure/src/testing/downloads.ts";
import { NO_BROWSER } from "../test/browser/chromium.ts";
import { NO_LIBVIRT } from "../test/docs/libvirt-domain.ts";
import { EVERY_TEST, runsOf, setOf, type TestRun } from "./test-sets.ts";

/** What cannot be brought here: skips for these reasons are no failure where nothing may be skipped. */
const EXCUSED: readonly string[] = [
  NO_SHARED_FOLDER,
  ...(process.env["CMCP_NO_DEBIAN"] === "1" ? [NO_SWTPM, NO_DOWNLOADS, NO_BROWSER] : []),
  ...(process.env["CMCP_NO_LIBVIRT"] === "1" ? [NO_LIBVIRT] : []),
];
const LOG = ".cache/test.log";

mkdirSync(".cache", { recursive: true });
const words = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const every = globSync([...EVERY_TEST], { exclude: (path) => path.includes("node_modules") });
const [set] = words;
const wanted =
  set === "fast" || set === "rest" ? every.filter((path) => (setOf(path) === "fast") === (set === "fast")) : words;
const isRuns = (word: string): boolean => word.startsWith("--runs=");
const options = process.argv.slice(2).filter((word) => word.startsWith("-") && !isRuns(word));
/** Files at one time of a run that has a process for each. Some tests wait, and take no processor. */
const CONCURRENCY = availableParallelism() * 2;
/** Runs at one time. One more than processors: a run of one process leaves its processor idle where a test waits. */
const RUNS = Number(process.argv.find(isRuns)?.slice("--runs=".length) ?? availableParallelism() + 1);

/** Runs the test runner over some files. Resolves to its exit code. */
async function runTests({ isolation, files }: TestRun, log: string): Promise<number> {
  const reporters = ["dot", "stdout", "spec", log].map((word, index) =>
    index % 2 === 0 ? `--test-reporter=${word}` : `--test-reporter-destination=${word}`,
  );
  const flags = [`--test-isolation=${isolation}`, `--test-concurrency=${CONCURRENCY}`, ...options, ...reporters];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "--test", ...flags, ...files], {
    stdio: "inherit",
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

const logs: string[] = [];
let worst = 0;
const open = runsOf(wanted.length > 0 ? wanted : every);
async function takeRuns(): Promise<void> {
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const file = `.cache/test-${logs.length}.log`;
    logs.push(file);
    const code = await runTests(next, file);
    // Read only now: other runs end meanwhile.
    worst = Math.max(worst, code);
  }
}
await Promise.all(Array.from({ length: RUNS }, takeRuns));

const log = logs.map((file) => readFileSync(file, "utf8")).join("\n");
writeFileSync(LOG, log);
for (const file of logs) rmSync(file);
const count = (name: string): number =>
  [...log.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, "gm"))].reduce((sum, [, number]) => sum + Number(number), 0);
const [passed, failed, skipped] = [count("pass"), count("fail"), count("skipped")];
for (const [report] of log.matchAll(/^✖ failing tests:$[^]*?(?=^[▶✔]|$(?![^]))/gm)) process.stdout.write(`${report}\n`);
const skips = log
  .split("\n")
  .filter((line) => line.includes("# SKIP") || line.trimStart().startsWith("﹣"))
  .map((line) => line.trim());
const excused = skips.filter((line) => EXCUSED.some((reason) => line.includes(reason)));
for (const line of skips) if (!excused.includes(line)) process.stdout.write(`skipped: ${line}\n`);
for (const reason of EXCUSED) {
  const times = excused.filter((line) => line.includes(reason)).length;
  if (times > 0) process.stdout.write(`skipped ${times}: ${reason}\n`);
}
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = worst;
if (passed === 0 || failed > 0) process.exitCode = Math.max(worst, 1);
// A skip that is counted and was not recognized in the report is none that can be excused.
if ((skips.length > excused.length || skipped > skips.length) && process.env["CMCP_REQUIRE_ALL"] !== undefined) {
  process.stdout.write("a suite that should run here was skipped\n");
  process.exitCode = 1;
}
