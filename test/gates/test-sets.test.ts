/** Every test file is found, and is in the set that its name says. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../gateway/deployment.ts";
import { EVERY_TEST, SHARED_PROCESS, runsOf, setOf } from "../../scripts/test-sets.ts";

const files = globSync([...EVERY_TEST], { cwd: ROOT, exclude: (path) => path.includes("node_modules") });

test("the globs find every test file of the tree, each once", () => {
  const folders = ["packages", "attestation", "host-proxy", "enclave-image", "test", "scripts", "examples"];
  const all = globSync(
    folders.map((folder) => join(folder, "**/*.test.ts")),
    { cwd: ROOT, exclude: (path) => path.includes("node_modules") || path.includes("dist") },
  );
  assert.deepEqual(files.toSorted(), all.toSorted());
  assert.equal(new Set(files).size, files.length);
});

test("the name decides the set, and no set is empty", () => {
  assert.equal(setOf("a/start.process.test.ts"), "process");
  assert.equal(setOf("a/parse.long.test.ts"), "long");
  assert.equal(setOf("a/parse.test.ts"), "fast");
  const sets = Map.groupBy(files, setOf);
  for (const set of ["fast", "process", "long"] as const) assert.ok((sets.get(set)?.length ?? 0) > 0, set);
});

test("each file is in one run, and each shared folder has tests", () => {
  const runs = runsOf(files);
  assert.deepEqual(runs.flatMap((run) => run.files).toSorted(), files.toSorted());
  const shared = runs.filter(({ isolation }) => isolation === "none").map((run) => run.files);
  for (const folder of SHARED_PROCESS)
    assert.ok(
      shared.flat().some((path) => path.startsWith(`${folder}/`)),
      `${folder} has no test`,
    );
  for (const members of shared) assert.ok(members.length > 0);
});

test("no file that shares a process awaits a test at its top level, which would wait for the files after it", () => {
  const shared = runsOf(files).flatMap((run) => (run.isolation === "none" ? run.files : []));
  const awaiting = shared.filter((path) =>
    /^(?: {2}){0,2}await (?:test|describe|it)\(/m.test(readFileSync(join(ROOT, path), "utf8")),
  );
  assert.deepEqual(awaiting, []);
});
