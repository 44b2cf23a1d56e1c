/** From this much memory on, QEMU's q35 machine keeps only 2 GiB of it below 4 GiB (hw/i386/pc_q35.c). */
const SPLIT_FROM = 0xb000_0000;
const LOW_MEMORY_WHEN_SPLIT = 0x8000_0000;

/** Bytes of a q35 guest's memory that lie below 4 GiB; the rest begins at 4 GiB. */
export function q35LowMemory(memory: number): number {
  return memory >= SPLIT_FROM ? LOW_MEMORY_WHEN_SPLIT : memory;
}
