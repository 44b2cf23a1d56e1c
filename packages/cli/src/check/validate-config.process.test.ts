import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, chmod, cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readLaunchInputs } from "@cmcp/launch/files";

const CLI = fileURLToPath(new URL("../../dist/cmcp.mjs", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../../../examples/quickstart/cmcp-config.yaml", import.meta.url));
const ENVIRONMENT = { CMCP_DEV_MODE: "1" };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-validate-"));
});
after(() => rm(folder, { recursive: true }));

const cmcp = (...args: string[]) => validated(CONFIG, ...args);
const validated = (config: string, ...args: string[]) =>
  spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", CLI, "validate-config", "--config", config, ...args],
    { env: { PATH: process.env["PATH"], NO_COLOR: "1", ...ENVIRONMENT }, encoding: "utf8" },
  );
const digest = (algorithm: string, bytes: Uint8Array): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

test("--launch-document writes the bytes a start sends, for the owner only, and both digests are printed", async () => {
  const path = join(folder, "launch.json");
  await writeFile(path, "what was there before");
  await chmod(path, 0o644);
  const run = cmcp("--launch-document", path, "--json");
  assert.equal(run.status, 0, run.stdout + run.stderr);
  const bytes = await readFile(path);
  assert.deepEqual(new Uint8Array(bytes), (await readLaunchInputs(CONFIG, ENVIRONMENT)).document);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), ["launch.json"]);
  const facts = JSON.parse(run.stdout) as Record<string, unknown>;
  const digests = [digest("sha256", bytes), digest("sha384", bytes)];
  assert.deepEqual(
    [facts["launch_digest"], facts["launch_digest_sha384"], facts["launch_document"]],
    [...digests, path],
  );
  const text = cmcp();
  for (const printed of digests) assert.ok(text.stdout.includes(printed), text.stdout);
});

test("a file that cannot be written is said, and nothing is left behind", async () => {
  const run = cmcp("--launch-document", join(folder, "nowhere/launch.json"));
  assert.deepEqual([run.status, run.stderr.includes("cannot write")], [64, true]);
});

for (const [what, log, message] of [
  ["an appraisal policy that is none", { appraisal: { nothing: true } }, /log\.appraisal: .*nothing/],
  ["witnesses without a quorum", { witnesses: "quorum none\n" }, /witness in common/],
] as const)
  test(`${what} is refused as a start would`, async () => {
    const deployment = join(folder, "quickstart");
    await cp(dirname(CONFIG), deployment, { recursive: true });
    const path = join(deployment, "cmcp-config.yaml");
    await appendFile(path, `\nlog: ${JSON.stringify(log)}\n`);
    const run = validated(path, "--json");
    assert.equal(run.status, 10, run.stdout + run.stderr);
    assert.match(run.stdout + run.stderr, message);
  });
