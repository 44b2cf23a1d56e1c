import { invalid } from "../bytes/input.ts";
import { tableWord, type Firmware } from "./firmware.ts";

const HEADER_BYTES = 16;
/** Sections a firmware may describe; OVMF describes six or seven. */
const MAX_SECTIONS = 64;

/** A table of memory sections that a firmware holds for its launcher: signature, u32 size, u32 version, u32 count, rows. */
export interface SectionTable {
  /** Its name, for error messages. */
  readonly what: string;
  /** GUID of the firmware table's entry with its offset from the end. */
  readonly guid: string;
  readonly signature: string;
  readonly rowBytes: number;
}

/**
 * Offsets of the table's rows in the firmware, in their order.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function sectionRows(firmware: Firmware, { what, guid, signature, rowBytes }: SectionTable): readonly number[] {
  const { reader } = firmware;
  const start = reader.length - tableWord(firmware, guid, what);
  if (Buffer.from(reader.slice(start, 4)).toString("latin1") !== signature)
    throw invalid(what, "does not begin with its signature");
  const [size, version, count] = [reader.at(start + 4).u32(), reader.at(start + 8).u32(), reader.at(start + 12).u32()];
  if (version !== 1) throw invalid(what, `version ${version}, only 1 is known`);
  if (count > MAX_SECTIONS) throw invalid(what, `${count} sections, at most ${MAX_SECTIONS}`);
  if (size < HEADER_BYTES + count * rowBytes) throw invalid(what, "its size does not hold its sections");
  return Array.from({ length: count }, (_, index) => start + HEADER_BYTES + index * rowBytes);
}
