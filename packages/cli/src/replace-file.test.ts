import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { replaceFile } from "./replace-file.ts";

test("a file is replaced whole, keeps its mode unless another is asked for, and nothing else is left", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-replace-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "file");
  const modeOf = async (): Promise<number> => (await stat(path)).mode & 0o777;
  await writeFile(path, "old");
  await chmod(path, 0o600);
  await replaceFile(path, "new");
  assert.deepEqual([await readFile(path, "utf8"), await modeOf()], ["new", 0o600]);
  await chmod(path, 0o644);
  await replaceFile(path, Buffer.from("newer"), 0o600);
  assert.deepEqual([await readFile(path, "utf8"), await modeOf()], ["newer", 0o600]);
  assert.deepEqual(await readdir(folder), ["file"]);
});

test("what cannot be written leaves everything as it was", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-replace-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "taken"));
  await assert.rejects(replaceFile(join(folder, "taken"), "text"), { code: "USAGE" });
  await assert.rejects(replaceFile(join(folder, "nowhere", "file"), "text"), { code: "USAGE" });
  assert.deepEqual(await readdir(folder), ["taken"]);
});
