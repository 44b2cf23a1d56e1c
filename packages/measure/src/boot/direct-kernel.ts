import { notPredictable } from "../bytes/input.ts";
import { commandLineBytes, isAscii, utf16WithNul } from "../bytes/text.ts";
import { dataEvent, type BootEvent, type DigestPair } from "./event.ts";
import { CALLING_BOOT_OPTION, PCR, SEPARATOR } from "./firmware-events.ts";

/**
 * Where OVMF puts the argument that names the initrd it serves: behind the command line up to edk2-stable202502, before
 * it from edk2-stable202505 on (OvmfPkg/Library/GenericQemuLoadImageLib).
 */
export const INITRD_ARGUMENTS = ["last", "first"] as const;
export type InitrdArgument = (typeof INITRD_ARGUMENTS)[number];

/** A kernel with an EFI stub that OVMF starts itself, as QEMU's `-kernel`, `-initrd` and `-append` give it. */
export interface DirectKernelBoot {
  /** Authenticode digests of the kernel as the firmware gets it. */
  readonly kernel: DigestPair;
  /** Digests of the initrd file; absent for one of no bytes, which OVMF neither names nor serves. */
  readonly initrd?: DigestPair;
  readonly commandLine: string;
  readonly initrdArgument: InitrdArgument;
}

/**
 * The load options that OVMF passes to the kernel. It makes each byte of QEMU's command line one character of UTF-16.
 * What becomes of bytes above ASCII is not the same in every build.
 * @throws CmcpError `MEASURE_INPUT_INVALID`, `MEASURE_NOT_PREDICTABLE` for such a command line
 */
export function loadOptions({
  commandLine,
  initrd,
  initrdArgument,
}: Pick<DirectKernelBoot, "commandLine" | "initrd" | "initrdArgument">): string {
  commandLineBytes(commandLine);
  if (!isAscii(commandLine))
    throw notPredictable("command line", "is not ASCII, which firmware hands on in a way of its own");
  if (initrd === undefined) return commandLine;
  return initrdArgument === "last" ? `${commandLine} initrd=initrd` : `initrd=initrd ${commandLine}`;
}

/** Measurements from the kernel's load to the end of its EFI stub, without those of leaving firmware. */
export function directKernelEvents(boot: DirectKernelBoot): readonly BootEvent[] {
  const options = loadOptions(boot);
  return [
    { pcr: PCR.bootPrograms, digest: boot.kernel },
    CALLING_BOOT_OPTION,
    SEPARATOR,
    ...(options === "" ? [] : [dataEvent(PCR.kernelStub, utf16WithNul(options))]),
    ...(boot.initrd === undefined ? [] : [{ pcr: PCR.kernelStub, digest: boot.initrd }]),
  ];
}
