import type { ByteReader } from "@cmcp/boundary";
import { inputReader, invalid } from "../bytes/input.ts";
import { footerTable } from "./footer-table.ts";
import { FOUR_GIB, PAGE_BYTES } from "./ranges.ts";

/** The largest firmware read, in bytes; OVMF builds have 2, 4 or 16 MiB. */
export const MAX_FIRMWARE = 64 * 1024 * 1024;

/** A firmware image for a virtual machine, mapped so that it ends at 4 GiB (or at `end`, for an SVSM below another). */
export interface Firmware {
  readonly reader: ByteReader;
  /** Guest physical address of its first byte. */
  readonly gpa: number;
  /** Entries of its GUIDed table. */
  readonly table: ReadonlyMap<string, Uint8Array>;
}

/**
 * Takes the bytes of a firmware image. Nothing in them is trusted: sizes, offsets and counts are checked where they are read.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function openFirmware(bytes: Uint8Array, what = "firmware", end = FOUR_GIB): Firmware {
  if (bytes.length === 0 || bytes.length > MAX_FIRMWARE || bytes.length % PAGE_BYTES !== 0) {
    throw invalid(
      what,
      `${bytes.length} bytes; it must be whole pages of ${PAGE_BYTES}, at most ${MAX_FIRMWARE} bytes`,
    );
  }
  const gpa = end - bytes.length;
  if (gpa < 0) throw invalid(what, "does not fit below its end address");
  const reader = inputReader(bytes, what);
  return { reader, gpa, table: footerTable(reader) };
}

/** A `u32` at the start of a table entry. @throws CmcpError `MEASURE_INPUT_INVALID` when there is none */
export function tableWord(firmware: Firmware, guid: string, name: string): number {
  const entry = firmware.table.get(guid);
  if (entry === undefined) throw invalid("firmware", `has no ${name} entry in its table`);
  return inputReader(entry, `firmware ${name} entry`).u32();
}
