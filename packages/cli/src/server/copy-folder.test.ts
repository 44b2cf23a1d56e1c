import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { copyFolder } from "./copy-folder.ts";

test("files are copied, links inside become files, and what is left out stays behind", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-copy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [from, to] = [join(folder, "from"), join(folder, "to")];
  await mkdir(join(from, "inner"), { recursive: true });
  await writeFile(join(from, "inner/a.py"), "a");
  await writeFile(join(from, "left"), "");
  await symlink("inner/a.py", join(from, "b.py"));
  await copyFolder(from, to, (name) => name === "left");
  assert.deepEqual((await readdir(to, { recursive: true })).toSorted(), ["b.py", "inner", "inner/a.py"]);
  assert.equal(await readFile(join(to, "b.py"), "utf8"), "a");
});

test("a Python library with a link that leads outside is refused, naming the link", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-copy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, target] of [
    ["absolute", "/etc/passwd"],
    ["upwards", "../outside"],
  ] as const) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, "outside"), "");
    await symlink(target, join(folder, name, "link.py"));
    await assert.rejects(
      copyFolder(join(folder, name), join(folder, `${name}-copy`), () => false),
      {
        code: "SPAWN_TREE_REFUSED",
        message: /link\.py is a symbolic link that leads out/,
      },
    );
  }
});
