import { toHex } from "@cmcp/boundary";
import { invalid } from "../bytes/input.ts";
import { openFirmware, type Firmware } from "../firmware/firmware.ts";
import { apResetAddress, hashTableAddress, sevSections, type SevSection } from "../firmware/sev-metadata.ts";
import { checkGuestFeatures } from "./guest-features.ts";
import { kernelHashPage, type KernelHashes } from "./kernel-hashes.ts";
import {
  contentPages,
  EMPTY_LAUNCH_DIGEST,
  extendLaunchDigest,
  PAGE_TYPE,
  plainPages,
  vmsaPages,
  type PageUpdate,
} from "./page-update.ts";
import { RESET_VECTOR, vmsaPage, type VmsaInputs, type VmmType } from "./vmsa.ts";

/** Virtual processors a launch may have: QEMU's limit on x86 machines. */
export const MAX_VCPUS = 4096;

/** Everything a SEV-SNP launch digest depends on. Memory size, ACPI tables, disks, HOST_DATA and policy are not in it. */
export interface SnpLaunch extends VmsaInputs {
  /** The firmware file's bytes. */
  readonly firmware: Uint8Array;
  readonly vcpus: number;
  /** Set when QEMU boots a kernel itself; the firmware must have a page for the hashes. */
  readonly kernel?: KernelHashes;
  /** Launch digest after the firmware's own pages (48 bytes), computed by someone who is trusted for it. */
  readonly firmwareDigest?: Uint8Array;
}

/** Refuses a count of virtual processors out of range. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function checkVcpus(vcpus: number): void {
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS)
    throw invalid("vCPUs", `their number is from 1 to ${MAX_VCPUS}`);
}

function* hashesPage(
  firmware: Firmware,
  { gpa, size }: SevSection,
  kernel: KernelHashes | undefined,
): Generator<PageUpdate> {
  if (kernel === undefined) yield* plainPages(PAGE_TYPE.zero, gpa, size);
  else yield* contentPages(gpa, kernelHashPage(kernel, gpa, hashTableAddress(firmware)));
}

function* sectionPages(
  firmware: Firmware,
  section: SevSection,
  vmm: VmmType,
  kernel: KernelHashes | undefined,
): Generator<PageUpdate> {
  const { type, gpa, size } = section;
  switch (type) {
    case "memory":
      return yield* plainPages(vmm === "gce" ? PAGE_TYPE.unmeasured : PAGE_TYPE.zero, gpa, size);
    case "secrets":
      return yield* plainPages(PAGE_TYPE.secrets, gpa, size);
    case "cpuid":
      return yield* plainPages(PAGE_TYPE.cpuid, gpa, size);
    case "svsm-caa":
      return yield* plainPages(PAGE_TYPE.zero, gpa, size);
    case "kernel-hashes":
      return yield* hashesPage(firmware, section, kernel);
  }
}

/** Pages of the firmware's SEV metadata: in the table's order, on EC2 with the CPUID pages after all others. */
export function* metadataPages(
  firmware: Firmware,
  vmm: VmmType,
  kernel: KernelHashes | undefined,
): Generator<PageUpdate> {
  const sections = sevSections(firmware);
  if (kernel !== undefined && !sections.some(({ type }) => type === "kernel-hashes")) {
    throw invalid("firmware", "has no section for kernel hashes, so its digest would not cover the kernel");
  }
  const late = vmm === "ec2" ? sections.filter(({ type }) => type === "cpuid") : [];
  for (const section of [...sections.filter((section) => !late.includes(section)), ...late])
    yield* sectionPages(firmware, section, vmm, kernel);
}

function* processorPages(firmware: Firmware, launch: SnpLaunch): Generator<Uint8Array> {
  checkVcpus(launch.vcpus);
  const reset = apResetAddress(firmware);
  yield vmsaPage(launch, RESET_VECTOR);
  if (launch.vcpus === 1) return;
  if (reset === 0) throw invalid("firmware", "names no address for further processors to start at");
  const other = vmsaPage(launch, reset);
  for (let index = 1; index < launch.vcpus; index += 1) yield other;
}

/** Save areas of all processors, 4096 bytes each: the boot processor's at the reset vector, the others' where the firmware says. */
export function snpProcessorPages(launch: SnpLaunch): Generator<Uint8Array> {
  checkGuestFeatures(launch.features);
  return processorPages(openFirmware(launch.firmware), launch);
}

/** Every page of a launch in the order it is measured, without those that {@link SnpLaunch.firmwareDigest} stands for. */
export function* launchPages(launch: SnpLaunch): Generator<PageUpdate> {
  checkGuestFeatures(launch.features);
  const firmware = openFirmware(launch.firmware);
  if (launch.firmwareDigest === undefined) yield* contentPages(firmware.gpa, firmware.reader.bytes);
  yield* metadataPages(firmware, launch.vmm, launch.kernel);
  yield* vmsaPages(processorPages(firmware, launch));
}

/** The digest that pages lead to. */
export function digestOfPages(pages: Iterable<PageUpdate>, seed: Uint8Array = EMPTY_LAUNCH_DIGEST): string {
  if (seed.length !== EMPTY_LAUNCH_DIGEST.length)
    throw invalid("firmware digest", `${EMPTY_LAUNCH_DIGEST.length} bytes are needed`);
  let digest = seed;
  for (const page of pages) digest = extendLaunchDigest(digest, page);
  return toHex(digest);
}

/**
 * MEASUREMENT of a SEV-SNP launch (AMD SEV-SNP firmware ABI 56860, section 8.17), lowercase hex of 48 bytes.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function snpLaunchDigest(launch: SnpLaunch): string {
  return digestOfPages(launchPages(launch), launch.firmwareDigest);
}

/** Launch digest after the firmware's pages alone, which other launches can begin with. Lowercase hex of 48 bytes. */
export function snpFirmwareDigest(firmware: Uint8Array): string {
  const { gpa, reader } = openFirmware(firmware);
  return digestOfPages(contentPages(gpa, reader.bytes));
}
