import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
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

test("of a link it is the file that is replaced, and keeps its mode; the link stays", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-replace-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [file, link] = [join(folder, "elsewhere", "file"), join(folder, "link")];
  await mkdir(join(folder, "elsewhere"));
  await writeFile(file, "old", { mode: 0o640 });
  await chmod(file, 0o640);
  await symlink(file, link);
  await replaceFile(link, "new");
  assert.deepEqual(
    [await readFile(file, "utf8"), (await stat(file)).mode & 0o777, (await lstat(link)).isSymbolicLink()],
    ["new", 0o640, true],
  );
  assert.deepEqual(
    [(await readdir(folder)).toSorted(), await readdir(join(folder, "elsewhere"))],
    [["elsewhere", "link"], ["file"]],
  );
});

test("what cannot be written says why, and leaves everything as it was", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-replace-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "taken"));
  await writeFile(join(folder, "file"), "");
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await symlink(join(folder, "absent"), join(folder, "link"));
  await symlink(join(folder, "circle"), join(folder, "circle"));
  const refused: Readonly<Record<string, RegExp>> = {
    taken: /: it is not a regular file$/,
    pipe: /: it is not a regular file$/,
    link: /: it is a symbolic link to a file that does not exist$/,
    circle: /: it is a symbolic link that leads to itself$/,
    "nowhere/file": /: its folder does not exist$/,
    "file/below": /: a part of its path is not a folder$/,
  };
  for (const [name, message] of Object.entries(refused))
    await assert.rejects(replaceFile(join(folder, name), "text"), { code: "USAGE", message }, name);
  assert.deepEqual((await readdir(folder)).toSorted(), ["circle", "file", "link", "pipe", "taken"]);
  assert.deepEqual(
    [(await lstat(join(folder, "pipe"))).isFIFO(), (await lstat(join(folder, "link"))).isSymbolicLink()],
    [true, true],
  );
});
