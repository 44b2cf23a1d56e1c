import { CmcpError } from "@cmcp/boundary";

/** What protects the machine from its host, or measures it: decides the machine's devices and what it attests with. */
export type MachinePlatform = "sev-snp" | "tdx" | "vtpm" | "none";

/** Guest memory below which the image does not boot: it is unpacked into memory. */
export const MIN_MEMORY_MEGABYTES = 512;
/** What one machine may be given; more is a mistake in the configuration. */
export const MAX_MEMORY_MEGABYTES = 65_536;
const MAX_PROCESSORS = 64;
/**
 * Characters that the kernel keeps on x86: `COMMAND_LINE_SIZE` with the NUL at the end. What is beyond is cut off
 * unseen.
 */
const MAX_COMMAND_LINE = 2047;
/** OVMF puts this before or behind the command line. */
const INITRD_ARGUMENT = "initrd=initrd ";

/** The image and the machine it runs on. All paths are absolute. */
export interface Machine {
  readonly platform: MachinePlatform;
  /**
   * Kernel, initramfs and the command line that is measured with them, exactly as published; or all of them in one EFI
   * program.
   */
  readonly boot:
    | { readonly kernel: string; readonly initramfs: string; readonly commandLine: string }
    | { readonly unified: string };
  /** One firmware file for `-bios`; a pair of flash files for a machine with a TPM. Nothing for platform `none`. */
  readonly firmware: { readonly bios: string } | { readonly code: string; readonly variables: string } | null;
  readonly memoryMegabytes: number;
  readonly processors: number;
  /** CPU model as QEMU names it, part of the SEV-SNP measurement; `null` for what suits the accelerator. */
  readonly processorModel: string | null;
  /**
   * SHA-256 (SEV-SNP) or SHA-384 (TDX) of the launch document, which the hardware reports; absent on other platforms.
   */
  readonly launchDigest: Uint8Array | null;
}

/** Refuses a machine that could not start, before anything is started. @throws CmcpError `LAUNCH_MACHINE_INVALID` */
export function checkMachine(machine: Machine): void {
  const refuse = (what: string): never => {
    throw new CmcpError("LAUNCH_MACHINE_INVALID", what);
  };
  const { platform, memoryMegabytes: memory, processors, launchDigest, firmware, boot } = machine;
  if (!Number.isInteger(memory) || memory < MIN_MEMORY_MEGABYTES || memory > MAX_MEMORY_MEGABYTES)
    refuse(`memory is ${memory} MB, between ${MIN_MEMORY_MEGABYTES} and ${MAX_MEMORY_MEGABYTES} are possible`);
  if (!Number.isInteger(processors) || processors < 1 || processors > MAX_PROCESSORS)
    refuse(`${processors} processors, between 1 and ${MAX_PROCESSORS} are possible`);
  if (platform === "sev-snp" && processors !== 1)
    refuse("the SEV-SNP image runs on one processor: it boots without ACPI");
  if (machine.processorModel === null && platform === "sev-snp")
    refuse("the processor model of a SEV-SNP machine is measured and must be named");
  if (machine.processorModel !== null && !/^[A-Za-z0-9][A-Za-z0-9._,+-]*$/.test(machine.processorModel))
    refuse("the processor model is not one of QEMU's names");
  if ("unified" in boot && platform !== "vtpm")
    refuse("a unified kernel image is started by the firmware of a machine with a TPM");
  const room = MAX_COMMAND_LINE - (firmware === null ? 0 : INITRD_ARGUMENT.length);
  if (!("unified" in boot) && (!/^[\x20-\x7e]+$/.test(boot.commandLine) || boot.commandLine.length > room))
    refuse(`the command line is empty, not ASCII text, or has more than ${room} characters`);
  const paths = "unified" in boot ? [boot.unified] : [boot.kernel, boot.initramfs];
  for (const path of [...paths, ...Object.values(firmware ?? {})])
    if (!path.startsWith("/") || path.includes(",")) refuse(`${path} is not an absolute path without commas`);
  const digestBytes = { "sev-snp": 32, tdx: 48, vtpm: 0, none: 0 }[platform];
  if ((launchDigest?.length ?? 0) !== digestBytes)
    refuse(`${platform} takes a launch digest of ${digestBytes} bytes, given are ${launchDigest?.length ?? 0}`);
  const wanted = { "sev-snp": "bios", tdx: "bios", vtpm: "code", none: null }[platform];
  const kind = firmware === null ? null : "bios" in firmware ? "bios" : "code";
  if (kind !== wanted)
    refuse(
      `${platform} needs ` +
        (wanted === null ? "no firmware" : wanted === "bios" ? "one firmware file" : "two flash files"),
    );
}
