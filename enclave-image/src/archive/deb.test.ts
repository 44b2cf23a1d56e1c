import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readAr } from "./ar.ts";
import { readDeb, unpackDeb } from "./deb.ts";
import { ar } from "./testing/ar.ts";
import { sample } from "./testing/samples.ts";

const deb = ar({
  "debian-binary": Buffer.from("2.0\n"),
  "control.tar.xz": new Uint8Array(3),
  "data.tar.xz": sample("a tar archive"),
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cmcp-unpack-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("the files of a package, long names included", async () => {
  const files = await readDeb(deb);
  const long = `dir/${"long".repeat(40)}`;
  assert.deepEqual([...files.keys()].sort(), ["dir/a", long, "dir/sub/b"].sort());
  assert.equal(Buffer.from(files.get("dir/a") ?? []).toString(), "hello");
  assert.equal(files.get("dir/sub/b")?.length, 700);
});

test("a package is unpacked over what is there; a link that is there is replaced, not followed", async (t) => {
  const root = folder(t);
  mkdirSync(join(root, "dir"));
  writeFileSync(join(root, "other"), "other");
  symlinkSync("../other", join(root, "dir/a"));
  await unpackDeb(deb, root);
  assert.ok(lstatSync(join(root, "dir/a")).isFile());
  assert.equal(readFileSync(join(root, "dir/a"), "utf8"), "hello");
  assert.equal(readFileSync(join(root, "other"), "utf8"), "other");
  assert.equal(readlinkSync(join(root, "dir/link")), "a");
  assert.equal(statSync(join(root, "dir/sub/b")).mode & 0o777, 0o755);
  assert.equal(statSync(join(root, "dir/hard")).ino, statSync(join(root, "dir/a")).ino);
});

test("a link to a place of the machine is left out, what leaves the folder or is damaged is refused", async (t) => {
  const root = folder(t);
  await unpackDeb(ar({ "data.tar.xz": sample("a link to /etc") }), root);
  assert.deepEqual(readdirSync(root), ["kept"]);
  for (const name of ["a name that goes up", "a link that goes up", "a tar archive that ends early"])
    await assert.rejects(unpackDeb(ar({ "data.tar.xz": sample(name) }), root), { code: "IMAGE_INPUT_INVALID" }, name);
  await assert.rejects(readDeb(ar({ "data.tar.xz": sample("a tar archive that ends early") })), {
    code: "IMAGE_INPUT_INVALID",
  });
  assert.equal(existsSync(join(root, "../up")), false);
});

test("what is no package, or has another compression, is refused", async () => {
  await assert.rejects(readDeb(new Uint8Array(Buffer.from("PK\u0003\u0004"))), { code: "IMAGE_INPUT_INVALID" });
  await assert.rejects(readDeb(ar({ "data.tar.lzma": new Uint8Array(4) })), { code: "IMAGE_INPUT_INVALID" });
  assert.throws(() => readAr(ar({ a: new Uint8Array(100) }).subarray(0, 100)), { code: "IMAGE_INPUT_INVALID" });
});
