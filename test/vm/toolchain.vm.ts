/** The programs that build the image: the lock file's, with the lock file's libraries. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Toolchain } from "../../enclave-image/src/build/toolchain.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packageNamed } from "../../enclave-image/src/lock/lock.ts";
import { CACHE, temporaryFolder, toolchain } from "./image.ts";

test("every program of the build runs with libraries of the lock file alone", async () => {
  const tools = await toolchain();
  for (const program of [
    "usr/bin/zstd",
    "usr/bin/mkfs.erofs",
    "usr/bin/x86_64-linux-gnu-as",
    "usr/bin/x86_64-linux-gnu-ld",
    "usr/bin/x86_64-linux-gnu-strip",
    "usr/bin/python3.13",
    "usr/libexec/gcc/x86_64-linux-gnu/14/cc1",
  ]) {
    assert.ok(tools.run(program, ["--version"]) instanceof Uint8Array, program);
  }
});

test("a program whose library no package brings stops the build, though the machine has the library", async (t) => {
  const { lock, cache } = openInputs(CACHE);
  const folder = temporaryFolder(t);
  const tools = await Toolchain.unpacked(
    [
      packageNamed(lock, "libc6"),
      packageNamed(lock, "zstd"),
      packageNamed(lock, "liblz4-1"),
      packageNamed(lock, "libxxhash0"),
      packageNamed(lock, "zlib1g"),
    ],
    cache,
    join(folder, "root"),
  );
  assert.throws(() => tools.run("usr/bin/zstd", ["--version"]), {
    code: "IMAGE_BUILD_FAILED",
    message: /liblzma\.so\.5/,
  });
});

test("a program that fails says which and why", async (t) => {
  const tools = await toolchain();
  assert.throws(
    () => tools.run("usr/bin/x86_64-linux-gnu-ld", ["-o", join(temporaryFolder(t), "out"), "/nonexistent.o"]),
    { code: "IMAGE_BUILD_FAILED", message: /x86_64-linux-gnu-ld failed: .*nonexistent/s },
  );
});
