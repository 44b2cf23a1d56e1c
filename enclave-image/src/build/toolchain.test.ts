import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { unpackedPackages } from "../emulator/unpacked-packages.ts";
import { PackageCache } from "../lock/fetch.ts";
import type { LockedPackage } from "../lock/lock.ts";
import { Toolchain } from "./toolchain.ts";

const ABSENT: LockedPackage = {
  name: "absent",
  group: "toolchain",
  suite: "trixie",
  why: "nobody has it",
  version: "1",
  archive: "debian",
  path: "pool/main/a/absent/absent_1.deb",
  size: 1,
  sha256: "0".repeat(64),
};

function places(t: TestContext): { cache: PackageCache; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-toolchain-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { cache: new PackageCache(join(folder, "packages"), () => []), folder };
}

test("what a build is made with is unpacked for it: a folder that is there, with whatever compiler in it, is not taken", async (t) => {
  const { cache, folder } = places(t);
  const root = join(folder, "deep/root");
  const made = await Toolchain.unpacked([], cache, root);
  assert.deepEqual([made.root, readdirSync(root)], [root, []]);
  mkdirSync(join(root, "usr"));
  writeFileSync(join(root, "usr/cc1"), "another compiler");
  await assert.rejects(Toolchain.unpacked([], cache, root), {
    code: "IMAGE_BUILD_FAILED",
    message: /deep\/root cannot be made/,
  });
  assert.ok(existsSync(join(root, "usr/cc1")), "it is not this build's to remove either");
});

test("packages that cannot be had leave nothing behind, neither for a build nor to be kept", async (t) => {
  const { cache, folder } = places(t);
  await assert.rejects(Toolchain.unpacked([ABSENT], cache, join(folder, "root")), { code: "IMAGE_INPUT_UNAVAILABLE" });
  await assert.rejects(unpackedPackages([ABSENT], cache, folder), { code: "IMAGE_INPUT_UNAVAILABLE" });
  assert.deepEqual(readdirSync(folder), []);
});

test("what only tries an image is unpacked once, under a name of its packages", async (t) => {
  const { cache, folder } = places(t);
  const { root } = await unpackedPackages([], cache, folder);
  writeFileSync(join(root, "here"), "");
  assert.equal((await unpackedPackages([], cache, folder)).root, root);
  assert.deepEqual(readdirSync(root), ["here"]);
});
