import type { ByteReader } from "@cmcp/boundary";
import { inputReader, invalid } from "../bytes/input.ts";
import { q35LowMemory } from "./q35.ts";

/** Offsets in the setup header of a bzImage (Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"). */
const AT = {
  magic: 0x202,
  version: 0x206,
  loader: 0x210,
  loadFlags: 0x211,
  ramdisk: 0x218,
  ramdiskSize: 0x21c,
  heapEnd: 0x224,
  commandLine: 0x228,
  initrdMax: 0x22c,
  extendedFlags: 0x236,
} as const;
const HDRS = 0x5372_6448;
/** Boot protocol 2.12 (Linux 3.8) has every field read here. */
const MIN_PROTOCOL = 0x20c;
const LOADED_HIGH = 0x01;
const CAN_USE_HEAP = 0x80;
const ABOVE_4G = 0x02;
/** What QEMU writes for a kernel loaded high (hw/i386/x86-common.c, x86_load_linux). */
const QEMU_LOADER = 0xb0;
const REAL_MODE_ADDRESS = 0x1_0000;
const COMMAND_LINE_ADDRESS = 0x2_0000;
/** Memory at the end of low memory that q35 keeps for ACPI tables. */
const ACPI_DATA_BYTES = 0x2_8000;

function initrdAddress(kernel: ByteReader, memory: number, initrdSize: number): number {
  const limit = (kernel.at(AT.extendedFlags).u16() & ABOVE_4G) === 0 ? kernel.at(AT.initrdMax).u32() : 0xffff_ffff;
  const available = q35LowMemory(memory) - ACPI_DATA_BYTES;
  const max = limit >= available ? available - 1 : limit;
  if (initrdSize >= max) throw invalid("initrd", `${initrdSize} bytes do not fit into the guest's memory`);
  return Math.floor((max - initrdSize) / 4096) * 4096;
}

/**
 * A kernel as QEMU before version 10 hands it to the firmware: with its setup header filled in. Where the initrd goes, and
 * so the kernel's digest, depends on the guest's memory below 2.75 GiB.
 * @param memory bytes of the guest
 * @param initrdSize bytes, `null` without `-initrd`; of a file without bytes QEMU writes the address all the same
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function qemuPatchedKernel(bytes: Uint8Array, memory: number, initrdSize: number | null): Uint8Array {
  const kernel = inputReader(Uint8Array.from(bytes), "kernel");
  if (kernel.at(AT.magic).u32() !== HDRS) throw invalid("kernel", "is not a bzImage");
  if (kernel.at(AT.version).u16() < MIN_PROTOCOL) throw invalid("kernel", "its boot protocol is older than 2.12");
  const flags = kernel.at(AT.loadFlags).u8();
  if ((flags & LOADED_HIGH) === 0) throw invalid("kernel", "is not loaded above 1 MiB");
  const header = new DataView(kernel.bytes.buffer, kernel.bytes.byteOffset);
  kernel.slice(AT.extendedFlags, 2);
  header.setUint8(AT.loader, QEMU_LOADER);
  header.setUint8(AT.loadFlags, flags | CAN_USE_HEAP);
  header.setUint32(AT.heapEnd, COMMAND_LINE_ADDRESS - REAL_MODE_ADDRESS - 0x200, true);
  header.setUint32(AT.commandLine, COMMAND_LINE_ADDRESS, true);
  if (initrdSize !== null) {
    header.setUint32(AT.ramdisk, initrdAddress(kernel, memory, initrdSize), true);
    header.setUint32(AT.ramdiskSize, initrdSize, true);
  }
  return kernel.bytes;
}
