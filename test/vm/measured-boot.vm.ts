/** What the TPM of a booted machine holds is what was computed from the image's bytes. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { measureImage } from "@cmcp/measure";
import { packageFile } from "../../enclave-image/src/build/firmware.ts";
import { readKernel } from "../../enclave-image/src/build/kernel.ts";
import { buildUki } from "../../enclave-image/src/build/uki.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packageNamed } from "../../enclave-image/src/lock/lock.ts";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { CACHE, debugMachine, published, started, temporaryFolder, toolchain } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";
import { guestReport } from "./report.ts";

/** The published initramfs with a script that reads the registers. */
async function reading(
  t: TestContext,
): Promise<{ folder: string; initramfs: string; machine: Machine; commandLine: string }> {
  const folder = temporaryFolder(t);
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "pcrs.ts" } }, initramfs);
  const machine = debugMachine("vtpm", initramfs);
  assert.ok(!("unified" in machine.boot));
  return { folder, initramfs, machine, commandLine: machine.boot.commandLine };
}

/** Boots and compares every register that a measurement names. */
async function compare(
  t: TestContext,
  machine: Machine,
  folder: string,
  files: { initramfs: string; commandLine: string; uki?: string },
): Promise<void> {
  const { accepted } = await measureImage({
    name: "debug",
    version: "0",
    kernel: published("vmlinuz"),
    initrd: files.initramfs,
    tpm: { commandLine: files.commandLine },
    ...(files.uki === undefined ? {} : { uki: files.uki }),
  });
  const boot = files.uki === undefined ? "kernel" : "uki";
  const predicted = new Map(
    accepted.flatMap((launch) =>
      launch.platform === "tpm" && launch.shape.bank === "sha256" && launch.shape.boot === boot
        ? Object.entries(launch.registers)
        : [],
    ),
  );
  const running = await started(t, machine, folder);
  const found = (await guestReport(running.dialer)) as Record<string, string>;
  assert.deepEqual(Object.keys(found), ["pcr4", "pcr9", "pcr11", "pcr12"]);
  for (const [register, value] of Object.entries(found))
    assert.ok(
      predicted.get(register)?.includes(value),
      `${register} is ${value}, predicted ${String(predicted.get(register))}`,
    );
}

test("the registers of a machine started with kernel, initramfs and command line are predicted", async (t) => {
  const { folder, machine, ...files } = await reading(t);
  await compare(t, machine, folder, files);
});

test("the registers of a machine started with a unified kernel image are predicted", async (t) => {
  const { folder, machine, initramfs, commandLine } = await reading(t);
  const { lock, cache } = openInputs(CACHE);
  const kernel = await readKernel(await cache.get(packageNamed(lock, "linux-image-cloud-amd64")));
  const stub = await packageFile(lock, cache, "systemd-boot-efi", "usr/lib/systemd/boot/efi/linuxx64.efi.stub");
  const uki = join(folder, "debug.efi");
  await writeFile(uki, buildUki(await toolchain(), { kernel, initramfs, commandLine, stub }, folder));
  await compare(t, { ...machine, boot: { unified: uki } }, folder, { initramfs, commandLine, uki });
});
