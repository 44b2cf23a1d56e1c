import type { ByteReader } from "@cmcp/boundary";
import { invalid } from "../bytes/input.ts";
import type { Firmware } from "./firmware.ts";
import { checkRanges, type MemoryRange } from "./ranges.ts";
import { sectionRows, type SectionTable } from "./section-table.ts";

const METADATA: SectionTable = {
  what: "TDVF metadata",
  guid: "e47a6535-984a-4798-865e-4685a7bf8ec2",
  signature: "TDVF",
  rowBytes: 32,
};
/** Memory the sections may add to the trust domain at launch. TDVF's add 4 to 20 MiB; each page costs a record of MRTD. */
const MAX_SECTION_MEMORY = 128 * 1024 * 1024;
/** Guest physical addresses have at most 52 bits. */
const ADDRESS_END = 2 ** 52;

/** Section types of Intel's TDX Virtual Firmware Design Guide, table "TDVF metadata". */
const SECTION_TYPES = ["BFV", "CFV", "TD_HOB", "TempMem", "PermMem", "Payload", "PayloadParam"] as const;
/** The pages' content is extended into MRTD. */
const MR_EXTEND = 1;
/** The pages are added after launch and are not in MRTD. */
const PAGE_AUG = 2;

/** One section of the TDVF metadata. */
export interface TdvfSection extends MemoryRange {
  readonly type: (typeof SECTION_TYPES)[number];
  /** Its bytes in the firmware file; what memory it has beyond them is zero. */
  readonly data: Uint8Array;
  readonly extended: boolean;
  readonly addedLater: boolean;
}

function address(value: bigint, what: string): number {
  if (value >= BigInt(ADDRESS_END)) throw invalid("TDVF metadata", `${what} is out of range`);
  return Number(value);
}

function readSection(firmware: ByteReader, at: number): TdvfSection {
  const row = firmware.at(at);
  const [offset, bytes] = [row.u32(), row.u32()];
  const [gpa, memory] = [row.u64(), row.u64()];
  const [typeNumber, attributes] = [row.u32(), row.u32()];
  const type = SECTION_TYPES[typeNumber];
  if (type === undefined) throw invalid("TDVF metadata", `unknown section type ${typeNumber}`);
  if (attributes >= (MR_EXTEND | PAGE_AUG))
    throw invalid("TDVF metadata", `section attributes 0x${attributes.toString(16)} are not known together`);
  const data = firmware.slice(offset, bytes);
  const size = address(memory, "a section's size");
  if (data.length > size) throw invalid("TDVF metadata", "a section has more data than memory");
  return {
    type,
    data,
    gpa: address(gpa, "a section"),
    size,
    extended: attributes === MR_EXTEND,
    addedLater: attributes === PAGE_AUG,
  };
}

/**
 * Sections of a firmware's TDVF metadata in the order of its table, which is the order they are measured in.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function tdvfSections(firmware: Firmware): readonly TdvfSection[] {
  const sections = sectionRows(firmware, METADATA).map((at) => readSection(firmware.reader, at));
  checkRanges(
    "TDVF metadata",
    sections.filter(({ addedLater }) => !addedLater),
    { end: ADDRESS_END, bytes: MAX_SECTION_MEMORY },
  );
  return sections;
}
