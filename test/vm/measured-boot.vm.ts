/** What the TPM of a booted machine holds is what was computed from the image's bytes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { measureImage } from "@cmcp/enclave-image/measure";
import { debugMachine, published, started, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";
import { guestReport } from "./report.ts";

test("the registers of a machine started with kernel, initramfs and command line are predicted", async (t) => {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "pcrs.ts" } }, initramfs);
  const shape = debugMachine("vtpm", initramfs);
  assert.ok(!("unified" in shape.boot));
  const { accepted } = await measureImage({ name: "debug", version: "0", kernel: shape.boot.kernel, initrd: initramfs, tpm: { commandLine: shape.boot.commandLine } });
  const predicted = new Map(accepted.flatMap((launch) => (launch.platform === "tpm" && launch.shape.bank === "sha256" ? Object.entries(launch.registers) : [])));

  const machine = await started(t, shape, folder);
  const found = (await guestReport(machine.dialer)) as Record<string, string>;
  assert.deepEqual(Object.keys(found), ["pcr4", "pcr9", "pcr11", "pcr12"]);
  for (const [register, value] of Object.entries(found)) assert.ok(predicted.get(register)?.includes(value), `${register} is ${value}, predicted ${String(predicted.get(register))}`);
});
