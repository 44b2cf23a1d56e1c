import { CmcpError } from "@cmcp/boundary";
import {
  digestInput,
  kernelProgram,
  kernelVariants,
  MAX_INITRD,
  MAX_PE,
  readInput,
  ukiVariants,
  type BootVariants,
} from "@cmcp/measure";

/** Options that name what is started. */
export const BOOT_OPTIONS = {
  kernel: { type: "string" },
  initrd: { type: "string" },
  append: { type: "string" },
  uki: { type: "string" },
  memory: { type: "string" },
} as const;

/** Their help. */
export const BOOT_HELP = `  --kernel FILE     kernel with an EFI stub, as QEMU's -kernel takes it
  --initrd FILE     its initrd
  --append TEXT     its command line; with --uki, one given at start
  --uki FILE        unified kernel image instead of --kernel
  --memory SIZE     memory of the guest, for hosts that measure it: bytes, or with K, M, G or T`;

interface BootValues {
  readonly kernel?: string | undefined;
  readonly initrd?: string | undefined;
  readonly append?: string | undefined;
  readonly uki?: string | undefined;
}

/**
 * Reads what the options name; `undefined` when they name nothing.
 * @throws CmcpError `USAGE`, `MEASURE_INPUT_INVALID`
 */
export async function readBootFiles(
  { kernel, initrd, append, uki }: BootValues,
  memory: number | undefined,
): Promise<BootVariants | undefined> {
  if (kernel !== undefined && uki !== undefined) throw new CmcpError("USAGE", "--kernel and --uki exclude each other");
  if (initrd !== undefined && kernel === undefined) throw new CmcpError("USAGE", "--initrd needs --kernel");
  if (uki !== undefined) return ukiVariants(await readInput(uki, "UKI", MAX_PE), append ?? "");
  if (kernel === undefined) {
    if (append !== undefined) throw new CmcpError("USAGE", "--append needs --kernel or --uki");
    return undefined;
  }
  const ramdisk = initrd === undefined ? {} : { initrd: await digestInput(initrd, "initrd", MAX_INITRD) };
  return kernelVariants(
    { kernel: kernelProgram(await readInput(kernel, "kernel", MAX_PE)), commandLine: append ?? "", ...ramdisk },
    memory,
  );
}
