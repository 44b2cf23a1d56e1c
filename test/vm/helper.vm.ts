/** The native helper, whose devices no emulator has: with played ones it asks for what it must, and hands out nothing when refused. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compileStatic } from "../../enclave-image/src/build/native.ts";
import { temporaryFolder, toolchain } from "./image.ts";

const SOURCE = join(import.meta.dirname, "programs/play-guest-devices.c");

test("the helper and the processor's guest devices", async (t) => {
  const folder = temporaryFolder(t);
  const program = join(folder, "helper");
  writeFileSync(program, compileStatic(await toolchain(), [SOURCE], folder), { mode: 0o755 });
  const helper = (play: string, request: string): { status: number | null; stdout: Buffer; stderr: string } => {
    const { status, stdout, stderr } = spawnSync(program, [play, request]);
    return { status, stdout, stderr: stderr.toString() };
  };

  await t.test(
    "the key of SEV-SNP is asked for with the level and the committed TCB of this guest's own report",
    () => {
      const { status, stdout } = helper("answers", "snp-key");
      assert.deepEqual([status, [...stdout]], [0, Array.from({ length: 32 }, (_, index) => 0x40 + index)]);
    },
  );
  await t.test("the TDREPORT is made for nobody and handed out whole", () => {
    const { status, stdout } = helper("answers", "tdx-report");
    assert.deepEqual([status, [...stdout]], [0, Array.from({ length: 1024 }, (_, index) => index & 0xff)]);
  });
  await t.test("refused, answered with a status, or asked for what there is not, it prints nothing and fails", () => {
    for (const [play, request, message, code] of [
      ["refuses", "snp-key", /firmware refused/, 1],
      ["status", "snp-key", /answered with a status/, 1],
      ["refuses", "tdx-report", /TDX module refused/, 1],
      ["answers", "keys", /usage/, 2],
    ] as const) {
      const { status, stdout, stderr } = helper(play, request);
      assert.deepEqual([status, stdout.length], [code, 0], `${play} ${request}`);
      assert.match(stderr, message);
    }
  });
  await t.test("without a device it says which is missing", async () => {
    const own = join(folder, "own");
    writeFileSync(
      own,
      compileStatic(await toolchain(), [join(import.meta.dirname, "../../enclave-image/native/helper.c")], folder),
      { mode: 0o755 },
    );
    for (const [request, device] of [
      ["snp-key", "/dev/sev-guest"],
      ["tdx-report", "/dev/tdx_guest"],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(own, [request]);
      assert.deepEqual([status, stdout.length, stderr.toString().includes(device)], [1, 0, true]);
    }
  });
});
