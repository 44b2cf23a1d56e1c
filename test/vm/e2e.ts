/** `make vm-e2e`: the end-to-end tests with the enclave of every gateway in a machine that boots the published image. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "../gateway/deployment.ts";
import { LAUNCHER_VARIABLE } from "../gateway/launcher.ts";
import { selection } from "./e2e-files.ts";

const { values } = parseArgs({ options: { whole: { type: "boolean", default: false } } });
const { leftOut, files, skipped } = selection(values.whole);
for (const { file, test = "all of it", why } of leftOut)
  process.stdout.write(`not in the machine: ${file}, ${test}: ${why}\n`);
// One machine at a time: each wants a processor of its own while it boots.
const options = ["--test-concurrency=1", ...skipped.map((name) => `--test-skip-pattern=^${name}$`)];
const paths = files.map((name) => `test/e2e/${name}`);
const { status } = spawnSync(process.execPath, [join(ROOT, "scripts/test.ts"), ...options, ...paths], {
  cwd: ROOT,
  env: { ...process.env, [LAUNCHER_VARIABLE]: "qemu" },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
