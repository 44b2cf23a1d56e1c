/**
 * Runs every test file with the pinned Node; extra arguments are options of its test runner, and file globs that
 * replace the default set.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { NO_SHARED_FOLDER } from "../packages/appraise/src/testing/shared.ts";
import { NO_SWTPM } from "../attestation/src/tpm/transport/testing/swtpm.ts";
import { NO_DOWNLOADS } from "../packages/measure/src/testing/downloads.ts";
import { NO_LIBVIRT } from "../test/docs/libvirt-domain.ts";
import { EVERY_TEST, setOf } from "./test-sets.ts";

/** What cannot be brought here: skips for these reasons are no failure where nothing may be skipped. */
const EXCUSED: readonly string[] = [
  NO_SHARED_FOLDER,
  ...(process.env["CMCP_NO_DEBIAN"] === "1" ? [NO_SWTPM, NO_DOWNLOADS] : []),
  ...(process.env["CMCP_NO_LIBVIRT"] === "1" ? [NO_LIBVIRT] : []),
];
const LOG = ".cache/test.log";

mkdirSync(".cache", { recursive: true });
const words = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const every = globSync([...EVERY_TEST], { exclude: (path) => path.includes("node_modules") });
const [set] = words;
const wanted =
  set === "fast" || set === "rest" ? every.filter((path) => (setOf(path) === "fast") === (set === "fast")) : words;
const options = process.argv.slice(2).filter((word) => word.startsWith("-"));
const reporters = [
  "--test-reporter=dot",
  "--test-reporter-destination=stdout",
  "--test-reporter=spec",
  `--test-reporter-destination=${LOG}`,
];
const run = spawnSync(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-concurrency=${availableParallelism()}`,
    ...options,
    ...reporters,
    ...(wanted.length > 0 ? wanted : every),
  ],
  { stdio: "inherit" },
);

const log = readFileSync(LOG, "utf8");
const count = (name: string): number => Number(new RegExp(`^ℹ ${name} (\\d+)$`, "m").exec(log)?.[1] ?? "0");
const [passed, failed, skipped] = [count("pass"), count("fail"), count("skipped")];
if (failed > 0) process.stdout.write(`${log.slice(log.indexOf("✖ failing tests:"))}\n`);
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
process.exitCode = run.status ?? 1;
if (passed === 0) process.exitCode = 1;
// A skip that is counted and was not recognized in the report is none that can be excused.
if ((skips.length > excused.length || skipped > skips.length) && process.env["CMCP_REQUIRE_ALL"] !== undefined) {
  process.stdout.write("a suite that should run here was skipped\n");
  process.exitCode = 1;
}
