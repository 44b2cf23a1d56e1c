import assert from "node:assert/strict";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { imageFolder } from "../../testing/image-folder.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { readImage } from "./image.ts";

const MEGABYTE = 1024 * 1024;

test("each platform's machine starts with its own command line and firmware", async (t) => {
  const folder = imageFolder(t);
  const at = (name: string): string => join(folder, name);
  for (const [platform, firmware] of [
    ["sev-snp", { bios: at("OVMF.amdsev.fd") }],
    ["tdx", { bios: at("OVMF.fd") }],
    ["vtpm", { code: at("OVMF_CODE_4M.fd"), variables: at("OVMF_VARS_4M.fd") }],
  ] as const) {
    assert.deepEqual(await readImage(folder, platform, 512), {
      boot: { kernel: at("vmlinuz"), initramfs: at("initramfs.cpio.zst"), commandLine: `cmcp.platform=${platform}` },
      firmware,
    });
  }
});

test("an initramfs over the memory given is refused before anything is started", async (t) => {
  const folder = imageFolder(t);
  truncateSync(join(folder, "initramfs.cpio.zst"), 256 * MEGABYTE);
  await readImage(folder, "vtpm", 512);
  truncateSync(join(folder, "initramfs.cpio.zst"), 256 * MEGABYTE + 1);
  await assert.rejects(readImage(folder, "vtpm", 512), {
    code: "LAUNCH_MACHINE_INVALID",
    message: /initramfs\.cpio\.zst has 257 MB, too many for a machine of 512 MB: raise qemu\.memory_mb/,
  });
  await readImage(folder, "vtpm", 1024);
});

test("a folder that is no image is refused by the file that is missing, empty or no file", async (t) => {
  await assert.rejects(readImage(temporaryDirectory(t), "vtpm", 512), {
    code: "LAUNCH_MACHINE_INVALID",
    message: /vmlinuz of the image cannot be read: is qemu\.image the folder that make image made\?/,
  });
  for (const name of ["vmlinuz", "initramfs.cpio.zst", "cmdline-vtpm", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"]) {
    const folder = imageFolder(t);
    rmSync(join(folder, name));
    await assert.rejects(readImage(folder, "vtpm", 512), {
      code: "LAUNCH_MACHINE_INVALID",
      message: new RegExp(`${name} of the image cannot be read`),
    });
    writeFileSync(join(folder, name), "");
    await assert.rejects(readImage(folder, "vtpm", 512), {
      code: "LAUNCH_MACHINE_INVALID",
      message: new RegExp(`${name} of the image is empty`),
    });
    rmSync(join(folder, name));
    mkdirSync(join(folder, name));
    await assert.rejects(readImage(folder, "vtpm", 512), { code: "LAUNCH_MACHINE_INVALID" });
  }
  const folder = imageFolder(t);
  writeFileSync(join(folder, "cmdline-vtpm"), "x".repeat(4097));
  await assert.rejects(readImage(folder, "vtpm", 512), {
    code: "LAUNCH_MACHINE_INVALID",
    message: /longer than a kernel command line/,
  });
});
