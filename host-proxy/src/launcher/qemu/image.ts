import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { Machine } from "./machine.ts";
import type { HostPlatform } from "./platform.ts";

const MEGABYTE = 1024 * 1024;
/** Bytes of a command line that are read; the kernel's own limit is below. */
const MAX_COMMAND_LINE = 4096;

/** Firmware of a folder that `make image` has made. */
const FIRMWARE: Readonly<Record<HostPlatform, (path: (name: string) => string) => NonNullable<Machine["firmware"]>>> = {
  "sev-snp": (path) => ({ bios: path("OVMF.amdsev.fd") }),
  tdx: (path) => ({ bios: path("OVMF.fd") }),
  vtpm: (path) => ({ code: path("OVMF_CODE_4M.fd"), variables: path("OVMF_VARS_4M.fd") }),
};

/**
 * The files of an image that one platform starts with, exactly as published: the command line is measured with them.
 * Their digests are not compared here: a host that starts something else is found by who verifies.
 *
 * @throws CmcpError `LAUNCH_MACHINE_INVALID` naming the file that is missing or not what it should be, and for an
 * initramfs that does not fit into the memory
 */
export async function readImage(
  folder: string,
  platform: HostPlatform,
  memoryMegabytes: number,
): Promise<Pick<Machine, "boot" | "firmware">> {
  const path = (name: string): string => join(folder, name);
  const firmware = FIRMWARE[platform](path);
  const [kernel, initramfs, words] = [path("vmlinuz"), path("initramfs.cpio.zst"), path(`cmdline-${platform}`)];
  for (const file of [kernel, words, ...Object.values(firmware)]) await sizeOf(file);
  // The kernel unpacks it into half of the memory while it is still there itself.
  const size = await sizeOf(initramfs);
  if (size * 2 > memoryMegabytes * MEGABYTE)
    throw new CmcpError(
      "LAUNCH_MACHINE_INVALID",
      `${initramfs} has ${Math.ceil(size / MEGABYTE)} MB, too many for a machine of ${memoryMegabytes} MB: raise ` +
        "qemu.memory_mb",
    );
  if ((await sizeOf(words)) > MAX_COMMAND_LINE)
    throw new CmcpError("LAUNCH_MACHINE_INVALID", `${words} is longer than a kernel command line`);
  return { boot: { kernel, initramfs, commandLine: await readFile(words, "latin1") }, firmware };
}

/** Bytes of a plain file. */
async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CmcpError(
      "LAUNCH_MACHINE_INVALID",
      `${file} of the image cannot be read: is qemu.image the folder that make image made?`,
      { cause },
    );
  });
  if (!found.isFile() || found.size === 0)
    throw new CmcpError("LAUNCH_MACHINE_INVALID", `${file} of the image is empty or not a regular file`);
  return found.size;
}
