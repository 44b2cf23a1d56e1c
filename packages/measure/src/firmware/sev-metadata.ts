import { invalid } from "../bytes/input.ts";
import { tableWord, type Firmware } from "./firmware.ts";
import { checkRanges, PAGE_BYTES, type MemoryRange } from "./ranges.ts";
import { sectionRows, type SectionTable } from "./section-table.ts";

const METADATA: SectionTable = {
  what: "SEV metadata",
  guid: "dc886566-984a-4798-a75e-5585a7bf67cc",
  signature: "ASEV",
  rowBytes: 12,
};
const HASH_TABLE = "7255371f-3a3b-4b04-927b-1da6efa8d454";
const RESET_BLOCK = "00f771de-1a7e-4fcb-890e-68c77e2fb44e";

/** Memory the sections may cover. OVMF's cover less than 1 MiB; each page costs a hash. */
const MAX_SECTION_MEMORY = 64 * 1024 * 1024;

/** What is put into a section's pages before launch (edk2 OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm). */
const SECTION_TYPES = { 1: "memory", 2: "secrets", 3: "cpuid", 4: "svsm-caa", 16: "kernel-hashes" } as const;
/** Types whose section is one page by definition. */
const ONE_PAGE: readonly string[] = ["secrets", "cpuid", "kernel-hashes"];

/** One section that a firmware asks its launcher to prepare. */
export interface SevSection extends MemoryRange {
  readonly type: (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES];
}

function sectionType(value: number): SevSection["type"] {
  const type = Object.hasOwn(SECTION_TYPES, value) ? SECTION_TYPES[value as keyof typeof SECTION_TYPES] : undefined;
  if (type === undefined) throw invalid("SEV metadata", `unknown section type ${value}`);
  return type;
}

/**
 * Sections of a firmware's SEV metadata in the order of its table, which is the order they are measured in.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function sevSections(firmware: Firmware): readonly SevSection[] {
  const sections = sectionRows(firmware, METADATA).map((at): SevSection => {
    const row = firmware.reader.at(at);
    return { gpa: row.u32(), size: row.u32(), type: sectionType(row.u32()) };
  });
  checkRanges("SEV metadata", sections, { end: firmware.gpa, bytes: MAX_SECTION_MEMORY });
  for (const { type, size } of sections) {
    if (ONE_PAGE.includes(type) && size !== PAGE_BYTES)
      throw invalid("SEV metadata", `a ${type} section has ${size} bytes instead of one page`);
  }
  return sections;
}

/** Guest physical address of the table of kernel hashes; 0 when the firmware does not take one. */
export function hashTableAddress(firmware: Firmware): number {
  return firmware.table.has(HASH_TABLE) ? tableWord(firmware, HASH_TABLE, "SEV hash table") : 0;
}

/** Instruction pointer that application processors start with. @throws CmcpError `MEASURE_INPUT_INVALID` when it has none */
export function apResetAddress(firmware: Firmware): number {
  return tableWord(firmware, RESET_BLOCK, "SEV-ES reset block");
}
