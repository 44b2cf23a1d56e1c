import type { ByteReader } from "@cmcp/boundary";
import { invalid } from "../bytes/input.ts";
import { guidText } from "./guid.ts";

/** Entries a table may have; OVMF has seven. */
const MAX_ENTRIES = 64;
/** A u16 length and a GUID end every entry; the length counts them. */
const TRAILER_BYTES = 18;
/** The table ends where the reset vector begins. */
const RESET_VECTOR_BYTES = 32;
const FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d";

/**
 * Reads the GUIDed table before the reset vector (edk2 OvmfPkg/ResetVector, QEMU pc_sysfw_ovmf.c), from its end to its
 * start. Each entry is data ‖ u16 length ‖ GUID. A duplicate GUID is refused: readers differ in which one they use.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function footerTable(firmware: ByteReader): ReadonlyMap<string, Uint8Array> {
  const footer = firmware.length - RESET_VECTOR_BYTES - TRAILER_BYTES;
  if (footer < 0 || guidText(firmware.slice(footer + 2, 16)) !== FOOTER)
    throw invalid("firmware", "has no GUIDed table before its reset vector");
  const start = footer + TRAILER_BYTES - firmware.at(footer).u16();
  if (start < 0 || start > footer) throw invalid("firmware table", "its length leaves the firmware");
  const entries = new Map<string, Uint8Array>();
  let end = footer;
  while (end > start) {
    if (end - start < TRAILER_BYTES) throw invalid("firmware table", "ends inside of an entry");
    const length = firmware.at(end - TRAILER_BYTES).u16();
    if (length < TRAILER_BYTES || length > end - start)
      throw invalid("firmware table", "an entry's length leaves the table");
    const guid = guidText(firmware.slice(end - 16, 16));
    if (entries.has(guid)) throw invalid("firmware table", `duplicate entry ${guid}`);
    if (entries.size === MAX_ENTRIES) throw invalid("firmware table", `more than ${MAX_ENTRIES} entries`);
    entries.set(guid, firmware.slice(end - length, length - TRAILER_BYTES));
    end -= length;
  }
  return entries;
}
