/** Every package has its tests a word away: `npm test` runs them, and `npm run test:watch` runs them again at each change. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test, type TestContext } from "node:test";
import { ROOT } from "../docs/deployment-folder.ts";

const PASSES = 'import { test } from "node:test";\ntest("a", () => {});\n';
const FAILS = 'import { test } from "node:test";\ntest("a", () => { throw new Error("no"); });\n';
const SCRIPT = join(ROOT, "scripts/package-test.sh");

/** Environment of a shell: without what tells the runner that it runs in another. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"], HOME: process.env["HOME"] });

/** A package with one test; inside this folder, as the script runs nothing else. */
function packageFolder(t: TestContext, source: string): { readonly folder: string; readonly file: string } {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, ".cache/package-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "src"));
  const file = join(folder, "src/a.test.ts");
  writeFileSync(file, source);
  return { folder, file };
}

test("each package.json of the workspace names both", () => {
  const manifests = globSync(
    ["packages/*/package.json", "{attestation,host-proxy,enclave-image,examples,test}/package.json"],
    {
      cwd: ROOT,
    },
  );
  assert.ok(manifests.length >= 22, manifests.join());
  for (const path of manifests) {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, path), "utf8")) as { scripts?: Record<string, string> };
    const script = join(relative(dirname(path), "."), "scripts/package-test.sh");
    assert.deepEqual(Object.keys(scripts ?? {}), ["test", "test:watch"], path);
    assert.ok(scripts?.["test"]?.startsWith(`sh ${script}`), path);
    assert.equal(scripts?.["test:watch"], scripts?.["test"]?.replace(script, `${script} --watch`), path);
  }
});

test("the script runs the tests of the folder it is started in, and its exit code is theirs", (t) => {
  for (const [source, code] of [
    [PASSES, 0],
    [FAILS, 1],
  ] as const) {
    const { folder } = packageFolder(t, source);
    const { status, stdout } = spawnSync("sh", [SCRIPT], { cwd: folder, env: environment(), encoding: "utf8" });
    assert.equal(status, code, stdout);
    assert.match(stdout, /^ℹ tests 1$/m);
  }
});

test("with --watch they run again when a file changes", async (t) => {
  const { folder, file } = packageFolder(t, PASSES);
  const child = spawn("sh", [SCRIPT, "--watch"], {
    cwd: folder,
    env: environment(),
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  let [printed, changed] = ["", false];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    if (/^ℹ pass 1$/m.test(printed) && !changed) {
      changed = true;
      writeFileSync(file, FAILS);
    }
    if (/^ℹ fail 1$/m.test(printed)) child.kill("SIGTERM");
  });
  await new Promise((resolve) => child.once("close", resolve));
  assert.match(printed, /^ℹ pass 1$[^]*^ℹ fail 1$/m);
});
