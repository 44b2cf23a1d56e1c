import { spawnSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandLine } from "../../enclave-image/src/build/command-line.ts";
import { programs, published } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";

/** `cmcp` from its sources. */
export const ENTRY = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

/**
 * An image folder as `make image` leaves it, of the published kernel and firmware, whose machine prints to its serial port and
 * runs the enclave as it is in this folder.
 */
export async function debugImage(folder: string): Promise<string> {
  const image = join(folder, "image");
  await mkdir(image);
  for (const name of ["vmlinuz", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"])
    await symlink(published(name), join(image, name));
  await writeOverlaid(
    published("initramfs.cpio.zst"),
    { scripts: { "enclave.cjs": "../../../packages/enclave/src/main.ts" } },
    join(image, "initramfs.cpio.zst"),
  );
  await writeFile(join(image, "cmdline-vtpm"), commandLine("vtpm", "debug"));
  return image;
}

/** Process ids of everything on this machine whose command line has some text. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}

/** What QEMU says about an object's properties. */
export async function propertiesOf(object: string): Promise<readonly string[]> {
  const {
    qemu: [program, ...args],
  } = await programs();
  const { stdout } = spawnSync(program, [...args, "-object", `${object},help`], { encoding: "utf8" });
  return [...stdout.matchAll(/^ {2}([a-z0-9-]+)=/gm)].map(([, name = ""]) => name);
}
