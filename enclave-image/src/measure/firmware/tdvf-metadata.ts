import { invalid } from "../bytes/refuse.ts";
import { tableWord, type Firmware } from "./firmware.ts";
import { checkRanges, type MemoryRange } from "./ranges.ts";

const METADATA_OFFSET = "e47a6535-984a-4798-865e-4685a7bf8ec2";
const HEADER_BYTES = 16;
const SECTION_BYTES = 32;
/** Sections a firmware may describe; TDVF describes six or seven. */
const MAX_SECTIONS = 64;
/** Memory they may add to the trust domain at launch. TDVF's add 4 to 20 MiB; each page costs a record of MRTD. */
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

/**
 * Sections of a firmware's TDVF metadata in the order of its table, which is the order they are measured in.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function tdvfSections(firmware: Firmware): readonly TdvfSection[] {
  const { view } = firmware;
  const start = view.length - tableWord(firmware, METADATA_OFFSET, "TDVF metadata");
  if (Buffer.from(view.slice(start, 4)).toString("latin1") !== "TDVF") throw invalid("TDVF metadata", "does not begin with its signature");
  const [size, version, count] = [view.u32(start + 4), view.u32(start + 8), view.u32(start + 12)];
  if (version !== 1) throw invalid("TDVF metadata", `version ${version}, only 1 is known`);
  if (count > MAX_SECTIONS) throw invalid("TDVF metadata", `${count} sections, at most ${MAX_SECTIONS}`);
  if (size < HEADER_BYTES + count * SECTION_BYTES) throw invalid("TDVF metadata", "its size does not hold its sections");
  const sections = Array.from({ length: count }, (_, index): TdvfSection => {
    const at = start + HEADER_BYTES + index * SECTION_BYTES;
    const type = SECTION_TYPES[view.u32(at + 24)];
    if (type === undefined) throw invalid("TDVF metadata", `unknown section type ${view.u32(at + 24)}`);
    const attributes = view.u32(at + 28);
    if (attributes >= (MR_EXTEND | PAGE_AUG)) throw invalid("TDVF metadata", `section attributes 0x${attributes.toString(16)} are not known together`);
    const data = view.slice(view.u32(at), view.u32(at + 4));
    const memory = address(view.u64(at + 16), "a section's size");
    if (data.length > memory) throw invalid("TDVF metadata", "a section has more data than memory");
    return { type, data, gpa: address(view.u64(at + 8), "a section"), size: memory, extended: (attributes & MR_EXTEND) !== 0, addedLater: (attributes & PAGE_AUG) !== 0 };
  });
  checkRanges("TDVF metadata", sections.filter(({ addedLater }) => !addedLater), { end: ADDRESS_END, bytes: MAX_SECTION_MEMORY });
  return sections;
}
