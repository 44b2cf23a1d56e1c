/** No secret stands in the sources, and the scanner would say so. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SKIPPED: ReadonlySet<string> = new Set(["node_modules", "dist", ".cache", "out", ".git"]);

async function sources(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) found.push(...(await sources(path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

/** Exit code and output of the scanner: 0 nothing, 1 findings, 2 it could not run. */
function scan(folder: string, files: readonly string[]): { readonly code: number | null; readonly said: string } {
  const args = [
    join(root, "node_modules/secretlint/bin/secretlint.js"),
    "--secretlintrc",
    join(root, ".secretlintrc.json"),
    "--secretlintignore",
    join(root, ".secretlintignore"),
    "--no-glob",
    ...files,
  ];
  const run = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", maxBuffer: 32 * 1024 * 1024 });
  return { code: run.status, said: run.stdout + run.stderr };
}

test("no file of the repository holds a secret", async () => {
  const files = (await sources(root)).map((path) => relative(root, path));
  for (const wanted of [
    "package.json",
    ".secretlintrc.json",
    "test/gates/secrets.process.test.ts",
    "packages/boundary/src/index.ts",
  ])
    assert.ok(files.includes(wanted), wanted);
  const { code, said } = scan(root, files);
  assert.equal(code, 0, said);
});

// Put together while it runs, so that this file holds none. They open nothing.
const fence = (edge: string): string => `-----${edge} ${["PRIVATE", "KEY"].join(" ")}-----\n`;
const PLANTED: readonly (readonly [string, string])[] = [
  ["a private key", `${fence("BEGIN")}${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(8)}\n${fence("END")}`],
  ["a source host's token", `token: ${["ghp", "a1B2".repeat(9)].join("_")}\n`],
  ["a cloud key", `AWS_SECRET_ACCESS_KEY = ${"aB3/".repeat(9)}aB3d\n`],
];

for (const [what, content] of PLANTED) {
  test(`a planted secret is found: ${what}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-secrets-"));
    try {
      await writeFile(join(folder, "planted.txt"), content);
      await writeFile(join(folder, "clean.txt"), "nothing\n");
      const { code, said } = scan(folder, ["clean.txt", "planted.txt"]);
      assert.equal(code, 1, said);
      assert.match(said, /planted\.txt/);
      assert.equal(scan(folder, ["clean.txt"]).code, 0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
