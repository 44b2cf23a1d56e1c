import { authenticodeDigest } from "../pe/authenticode.ts";
import { openPe } from "../pe/image.ts";
import { qemuPatchedKernel } from "../tdx/bzimage.ts";
import { directKernelEvents, INITRD_ARGUMENTS, type InitrdArgument } from "./direct-kernel.ts";
import type { BootEvent, DigestPair } from "./event.ts";
import { measureUki, ukiEvents } from "./uki.ts";

/** One of the ways in which a host can start the same image; they differ in what a register then holds. */
export interface Variant {
  /** What the host does in this variant; empty when there is one way only. */
  readonly when: string;
  readonly events: readonly BootEvent[];
  /** Started from a disk: RTMR1 then has the disk's partition table too. */
  readonly fromDisk?: true;
}

/** The ways of starting an image, by what they change. */
export interface BootVariants {
  /** They change which programs are measured: PCR 4, RTMR1. */
  readonly programs: readonly Variant[];
  /** They change what the programs are told: PCR 9, 11 and 12, RTMR2. */
  readonly parameters: readonly Variant[];
}

/** A kernel file and its Authenticode digests. */
export interface KernelProgram {
  readonly bytes: Uint8Array;
  readonly digest: DigestPair;
}

/** A kernel that OVMF starts itself. */
export interface KernelFiles {
  readonly kernel: KernelProgram;
  readonly initrd?: { readonly digest: DigestPair; readonly bytes: number };
  readonly commandLine: string;
}

const ARGUMENT_PLACES: Readonly<Record<InitrdArgument, string>> = {
  last: "edk2 up to 202502",
  first: "edk2 from 202505 on",
};

/** Measures a kernel as a program. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function kernelProgram(bytes: Uint8Array): KernelProgram {
  const image = openPe(bytes);
  return {
    bytes,
    digest: { sha256: authenticodeDigest(image, "sha256"), sha384: authenticodeDigest(image, "sha384") },
  };
}

/**
 * The ways of starting a kernel directly.
 * @param memory bytes of the guest; older stacks measure a kernel whose header names where in it the initrd lies, and are
 * left out without
 */
export function kernelVariants({ kernel, initrd, commandLine }: KernelFiles, memory: number | undefined): BootVariants {
  const boot = { commandLine, ...(initrd === undefined || initrd.bytes === 0 ? {} : { initrd: initrd.digest }) };
  const events = (digest: DigestPair, initrdArgument: InitrdArgument) =>
    directKernelEvents({ ...boot, kernel: digest, initrdArgument });
  const unpatched: Variant = {
    when: "QEMU from 10 on with edk2 from 202502 on",
    events: events(kernel.digest, "first"),
  };
  const older = (guest: number): Variant => {
    const patched = kernelProgram(qemuPatchedKernel(kernel.bytes, guest, initrd?.bytes ?? null));
    return { when: "older QEMU or edk2", events: events(patched.digest, "last") };
  };
  return {
    programs: [unpatched, ...(memory === undefined ? [] : [older(memory)])],
    parameters: INITRD_ARGUMENTS.map((argument) => ({
      when: ARGUMENT_PLACES[argument],
      events: events(kernel.digest, argument),
    })),
  };
}

/** The ways of starting a unified kernel image. `appended` replaces its command line. */
export function ukiVariants(uki: Uint8Array, appended: string): BootVariants {
  const measured = measureUki(uki, appended);
  const byQemu: Variant = { when: "started as QEMU's -kernel", events: ukiEvents(measured, "qemu-kernel") };
  return {
    programs: [
      byQemu,
      { when: "started from a disk by a boot option", events: ukiEvents(measured, "disk"), fromDisk: true },
    ],
    parameters: [{ when: "", events: byQemu.events }],
  };
}
