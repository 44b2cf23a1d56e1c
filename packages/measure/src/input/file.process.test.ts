import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digestInput, readInput } from "./file.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-measure-"));
});
after(() => rm(folder, { recursive: true }));

const CONTENT = Buffer.alloc(2_500_000, "some content ");

test("a file is read whole, and hashed in pieces with the same result", async () => {
  const path = join(folder, "file");
  await writeFile(path, CONTENT);
  assert.deepEqual(Buffer.from(await readInput(path, "kernel", CONTENT.length)), CONTENT);
  const { bytes, digest } = await digestInput(path, "initrd", CONTENT.length);
  assert.equal(bytes, CONTENT.length);
  for (const algorithm of ["sha256", "sha384"] as const)
    assert.deepEqual(Buffer.from(digest[algorithm]), createHash(algorithm).update(CONTENT).digest());
  await truncate(path, 0);
  assert.equal((await readInput(path, "kernel", 1)).length, 0);
  assert.deepEqual(Buffer.from((await digestInput(path, "initrd", 1)).digest.sha256), createHash("sha256").digest());
});

test("what is too large, missing or no file is refused by name", async () => {
  const path = join(folder, "large");
  await writeFile(path, CONTENT);
  const pipe = join(folder, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  for (const read of [readInput, digestInput]) {
    for (const [input, message] of [
      [path, /^kernel: .*large has 2500000 bytes, at most 9$/],
      [folder, /is not a file/],
      [join(folder, "none"), /cannot read .*ENOENT/],
      [pipe, /is not a file/],
    ] as const) {
      await assert.rejects(read(input, "kernel", 9), { code: "MEASURE_INPUT_INVALID", message });
    }
  }
});

test("a file that gives fewer bytes than its size is refused", async (t) => {
  // Files of sysfs say that they have a page and end sooner, like a file that is cut while it is read.
  const path = "/sys/devices/system/cpu/online";
  if (!existsSync(path)) return t.skip("no sysfs here");
  for (const read of [readInput, digestInput])
    await assert.rejects(read(path, "kernel", 4096), { code: "MEASURE_INPUT_INVALID", message: /became shorter/ });
});
