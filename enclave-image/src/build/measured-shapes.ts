import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageInputs } from "@cmcp/measure";
import { commandLine } from "./command-line.ts";

/** The output that verifiers and clients pin. */
export const MEASUREMENTS = "measurements.json";

/** CPU models of SEV-SNP hosts as QEMU names them. */
const SNP_MODELS = ["EPYC-v4", "EPYC-Milan", "EPYC-Genoa"] as const;
/** SEV features of a guest as KVM starts it: SNP active (AMD APM volume 2, SEV_FEATURES bit 0). */
const SNP_FEATURES = 0x1n;

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** How the outputs in `folder` are meant to be started, for computing what they then measure as. */
export function measuredShapes(folder: string): ImageInputs {
  const path = (name: string): string => join(folder, name);
  return {
    name: "cmcp-enclave",
    version,
    kernel: path("vmlinuz"),
    initrd: path("initramfs.cpio.zst"),
    uki: path("cmcp-vtpm.efi"),
    // One processor, because the command line lets the kernel see one only.
    sevSnp: {
      firmware: path("OVMF.amdsev.fd"),
      commandLine: commandLine("sev-snp", "release"),
      vcpus: [1],
      vcpuTypes: SNP_MODELS,
      guestFeatures: [SNP_FEATURES],
    },
    tdx: { firmware: path("OVMF.fd"), commandLine: commandLine("tdx", "release") },
    tpm: { commandLine: commandLine("vtpm", "release") },
  };
}
