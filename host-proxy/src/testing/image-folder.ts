import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryDirectory } from "./temporary-directory.ts";

const PLATFORMS = ["sev-snp", "tdx", "vtpm"] as const;
const FILES = [
  "vmlinuz",
  "initramfs.cpio.zst",
  "OVMF.amdsev.fd",
  "OVMF.fd",
  "OVMF_CODE_4M.fd",
  "OVMF_VARS_4M.fd",
] as const;

/** A folder with the names of an image's files, as `make image` leaves them, and nothing that boots. */
export function imageFolder(test: TestContext): string {
  const folder = temporaryDirectory(test);
  for (const name of FILES) writeFileSync(join(folder, name), name);
  for (const platform of PLATFORMS) writeFileSync(join(folder, `cmdline-${platform}`), `cmcp.platform=${platform}`);
  return folder;
}
