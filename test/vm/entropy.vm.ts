/** Keys are made only where the kernel's random generator was seeded: PID 1 asks before it starts the runtime. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compileStatic } from "../../enclave-image/src/build/native.ts";
import { temporaryFolder, toolchain } from "./image.ts";

const NATIVE = join(import.meta.dirname, "../../enclave-image/native");

test("PID 1 goes no further on an unseeded random generator", async (t) => {
  const folder = temporaryFolder(t);
  const program = join(folder, "init");
  writeFileSync(
    program,
    compileStatic(
      await toolchain(),
      [join(import.meta.dirname, "programs/play-entropy.c"), join(NATIVE, "seccomp.c"), join(NATIVE, "spawner.c")],
      folder,
    ),
    { mode: 0o755 },
  );
  const unseeded = spawnSync(program, ["unseeded"], { encoding: "utf8" });
  assert.deepEqual([unseeded.status, /the random generator is not seeded/.test(unseeded.stderr)], [1, true]);
  assert.equal(spawnSync(program, ["seeded"]).status, 0);
});
