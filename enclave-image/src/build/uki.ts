import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Kernel } from "./kernel.ts";
import type { Toolchain } from "./toolchain.ts";

/** Says what it is to a boot menu; without a date or a build number, which would differ between equal builds. */
const OS_RELEASE = 'NAME="cMCP enclave"\nID=cmcp\nPRETTY_NAME="cMCP enclave"\n';

/** What goes into a unified kernel image. */
export interface UkiParts {
  readonly kernel: Kernel;
  /** Path of the compressed initramfs. */
  readonly initramfs: string;
  readonly commandLine: string;
  /** The EFI stub of systemd-boot. */
  readonly stub: Uint8Array;
}

/** Puts kernel, initramfs and command line into one EFI program (UAPI.5) with ukify. */
export function buildUki(toolchain: Toolchain, parts: UkiParts, work: string): Uint8Array {
  const file = (name: string, data: Uint8Array | string): string => {
    writeFileSync(join(work, name), data);
    return join(work, name);
  };
  const output = join(work, "uki.efi");
  const inputs = [
    `--linux=${file("vmlinuz", parts.kernel.image)}`,
    `--initrd=${parts.initramfs}`,
    `--cmdline=@${file("cmdline", parts.commandLine)}`,
    `--os-release=@${file("os-release", OS_RELEASE)}`,
    `--stub=${file("stub", parts.stub)}`,
    // Told, because ukify would otherwise look for it in the kernel with tools of the machine.
    `--uname=${parts.kernel.release}`,
  ];
  const environment = {
    PYTHONHOME: join(toolchain.root, "usr"),
    PYTHONPATH: join(toolchain.root, "usr/lib/python3/dist-packages"),
    PYTHONHASHSEED: "0",
  };
  toolchain.run(
    "usr/bin/python3.13",
    ["-S", "-B", join(toolchain.root, "usr/bin/ukify"), "build", "--efi-arch=x64", ...inputs, `--output=${output}`],
    { cwd: work, environment },
  );
  return readFileSync(output);
}
