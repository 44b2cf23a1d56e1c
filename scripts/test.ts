/** Runs every test file with the pinned Node; extra arguments are file globs that replace the default set. */
import { spawnSync } from "node:child_process";
import process from "node:process";

const everything = ["packages/*/src/**/*.test.ts", "attestation/src/**/*.test.ts", "host-proxy/src/**/*.test.ts", "test/**/*.test.ts"];
const wanted = process.argv.slice(2);
const run = spawnSync(
  process.execPath,
  ["--disable-warning=ExperimentalWarning", "--test", "--test-reporter=dot", "--test-reporter-destination=stdout", "--test-reporter=spec", "--test-reporter-destination=.cache/test.log", ...(wanted.length > 0 ? wanted : everything)],
  { stdio: "inherit", env: { ...process.env, NODE_TEST_CONTEXT: undefined } },
);
process.exitCode = run.status ?? 1;
