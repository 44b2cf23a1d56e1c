import { invalid } from "../bytes/input.ts";

/** A page of guest memory: 4 KiB. */
export const PAGE_BYTES = 4096;
/** Where 32-bit guest physical addresses end, and the firmware with them. */
export const FOUR_GIB = 0x1_0000_0000;

/** Guest physical memory from `gpa`, `size` bytes. */
export interface MemoryRange {
  readonly gpa: number;
  readonly size: number;
}

/**
 * Holds a firmware's memory sections to whole pages below `limit` that do not overlap, `limits.bytes` of them in all.
 * Sections of size zero say nothing about memory, and firmware builds carry them at address 0.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function checkRanges(
  what: string,
  ranges: readonly MemoryRange[],
  limits: { readonly end: number; readonly bytes: number },
): void {
  const used = ranges.filter(({ size }) => size > 0).toSorted((a, b) => a.gpa - b.gpa);
  let [end, total] = [0, 0];
  for (const { gpa, size } of used) {
    const at = `0x${gpa.toString(16)}`;
    if (gpa % PAGE_BYTES !== 0 || size % PAGE_BYTES !== 0)
      throw invalid(what, `the section at ${at} is not made of whole pages`);
    if (gpa + size > limits.end) throw invalid(what, `the section at ${at} is out of range`);
    if (gpa < end) throw invalid(what, `the section at ${at} overlaps another`);
    end = gpa + size;
    total += size;
  }
  if (total > limits.bytes) throw invalid(what, `its sections cover ${total} bytes, at most ${limits.bytes}`);
}
