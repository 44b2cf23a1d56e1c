/** A test that fails fails the whole run, whatever other runs end meanwhile. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../scripts/test.ts", import.meta.url));
const [PASSES, FAILS] = ["", "throw new Error('it fails');"].map(
  (body) => `import { test } from "node:test";\ntest("one", () => { ${body} });\n`,
) as [string, string];
/** Files of two runs at one time: the second one's folder shares a process. */
const FILES = ["own.test.ts", "packages/boundary/src/shared.test.ts"];

for (const [failing, code] of [
  [[], 0],
  [[0], 1],
  [[1], 1],
  [[0, 1], 1],
] as const)
  test(`of two runs ${failing.length} fail${failing.length === 1 ? `, number ${failing[0]}` : ""}: exit ${code}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tests-"));
    try {
      await mkdir(join(folder, "packages/boundary/src"), { recursive: true });
      for (const [at, name] of FILES.entries())
        await writeFile(join(folder, name), (failing as readonly number[]).includes(at) ? FAILS : PASSES);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const run = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", SCRIPT, ...FILES], {
        cwd: folder,
        env,
        encoding: "utf8",
      });
      assert.match(run.stdout, new RegExp(`${2 - failing.length} passed, ${failing.length} failed`));
      assert.equal(run.status, code, run.stdout + run.stderr);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
