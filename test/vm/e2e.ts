/**
 * `make vm-e2e`: the end-to-end tests with the enclave of every gateway in a machine that boots the published image.
 * With `--test=NAME`, once or more often, the tests and suites of these names only.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "../gateway/deployment.ts";
import { LAUNCHER_VARIABLE } from "../gateway/launcher.ts";
import { selection, sourceOf } from "./e2e-files.ts";

const { values } = parseArgs({
  options: { whole: { type: "boolean", default: false }, test: { type: "string", multiple: true, default: [] } },
});
const { leftOut, files, skipped } = selection(values.whole);
for (const { file, test = "all of it", why } of leftOut)
  process.stdout.write(`not in the machine: ${file}, ${test}: ${why}\n`);
// A machine wants a processor of its own while it boots.
const options = [
  `--runs=${availableParallelism()}`,
  "--test-concurrency=1",
  ...skipped.map((name) => `--test-skip-pattern=^${name}$`),
  ...values.test.map((name) => `--test-name-pattern=^${name}$`),
];
const named = files.filter(
  (name) => values.test.length === 0 || values.test.some((test) => sourceOf(name).includes(test)),
);
const paths = named.map((name) => `test/e2e/${name}`);
const { status } = spawnSync(process.execPath, [join(ROOT, "scripts/test.ts"), ...options, ...paths], {
  cwd: ROOT,
  env: { ...process.env, [LAUNCHER_VARIABLE]: "qemu" },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
