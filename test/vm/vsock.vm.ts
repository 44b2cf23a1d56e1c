/** The vsock addon, its streams, and the host's side of the kernel's vsock, exercised inside a booted image. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Outcome } from "./guest/check.ts";
import { debugMachine, published, started, temporaryFolder } from "./image.ts";
import { loopbackFiles } from "./loopback.ts";
import { writeOverlaid } from "./overlay.ts";
import { guestReport } from "./report.ts";

test("vsock in the guest", async (t) => {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(
    published("initramfs.cpio.zst"),
    { scripts: { "enclave.cjs": "vsock.ts", "worker.cjs": "worker.ts" }, files: await loopbackFiles() },
    initramfs,
  );
  const machine = await started(t, debugMachine("none", initramfs), folder);
  const outcomes = (await guestReport(machine.dialer)) as Outcome[];
  assert.ok(outcomes.length >= 16, `${outcomes.length} checks were run`);
  for (const { name, failure } of outcomes) await t.test(name, () => assert.equal(failure, null, failure ?? ""));
});
