/** Runs every test file with the pinned Node; extra arguments are file globs that replace the default set. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import process from "node:process";

const EVERYTHING = ["packages/*/src/**/*.test.ts", "attestation/src/**/*.test.ts", "host-proxy/src/**/*.test.ts", "enclave-image/src/**/*.test.ts", "test/**/*.test.ts"];
const LOG = ".cache/test.log";

mkdirSync(".cache", { recursive: true });
const wanted = process.argv.slice(2);
const reporters = ["--test-reporter=dot", "--test-reporter-destination=stdout", "--test-reporter=spec", `--test-reporter-destination=${LOG}`];
const run = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", "--test", "--test-concurrency=2", ...reporters, ...(wanted.length > 0 ? wanted : EVERYTHING)], { stdio: "inherit" });

const log = readFileSync(LOG, "utf8");
const count = (name: string): number => Number(new RegExp(`^ℹ ${name} (\\d+)$`, "m").exec(log)?.[1] ?? "0");
const [passed, failed, skipped] = [count("pass"), count("fail"), count("skipped")];
if (failed > 0) process.stdout.write(`${log.slice(log.indexOf("✖ failing tests:"))}\n`);
for (const line of log.split("\n")) if (line.includes("# SKIP") || line.trimStart().startsWith("﹣")) process.stdout.write(`skipped: ${line.trim()}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = run.status ?? 1;
if (passed === 0) process.exitCode = 1;
if (skipped > 0 && process.env["CMCP_REQUIRE_ALL"] !== undefined) {
  process.stdout.write("a suite that should run here was skipped\n");
  process.exitCode = 1;
}
