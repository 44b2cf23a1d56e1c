import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { qemuArguments } from "../../host-proxy/src/launcher/qemu/qemu-arguments.ts";
import type { DeploymentFolder } from "./deployment-folder.ts";

/** A platform whose machine a page describes. */
export type DescribedPlatform = "sev-snp" | "tdx";

/** CID of the machine on every page. */
export const CID = 7;
const MEMORY_MEGABYTES = 1024;

/** What the launcher starts for the image and the launch document in a folder. */
export function describedMachine({ path }: DeploymentFolder, platform: DescribedPlatform): Machine {
  const image = (name: string): string => join(path, "out/image", name);
  const digest = createHash(platform === "tdx" ? "sha384" : "sha256")
    .update(readFileSync(join(path, "launch.json")))
    .digest();
  return {
    platform,
    boot: {
      kernel: image("vmlinuz"),
      initramfs: image("initramfs.cpio.zst"),
      commandLine: readFileSync(image(`cmdline-${platform}`), "utf8"),
    },
    firmware: { bios: image(platform === "tdx" ? "OVMF.fd" : "OVMF.amdsev.fd") },
    memoryMegabytes: MEMORY_MEGABYTES,
    processors: 1,
    processorModel: platform === "tdx" ? "host" : "EPYC-v4",
    launchDigest: digest,
  };
}

/** The command line a page gives is the launcher's, in any order of its options. */
export function assertStarts(folder: DeploymentFolder, platform: DescribedPlatform): void {
  const wanted = qemuArguments(describedMachine(folder, platform), "kvm", {
    vsock: { cid: CID },
    tpm: null,
    variables: null,
    dataFolders: [],
  });
  assert.deepEqual(options(folder.qemuArguments()), options(wanted));
}

/** Each option with its value, sorted. */
function options(args: readonly string[]): string[] {
  return args
    .join("\0")
    .split(/(?:^|\0)(?=-)/)
    .map((option) => option.replace("\0", " "))
    .sort();
}
