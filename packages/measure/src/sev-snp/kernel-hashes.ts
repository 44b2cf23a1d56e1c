import { digestOf } from "../bytes/digest.ts";
import { invalid } from "../bytes/input.ts";
import { commandLineBytes } from "../bytes/text.ts";
import { guidBytes } from "../firmware/guid.ts";
import { PAGE_BYTES } from "../firmware/ranges.ts";

/** What QEMU hashes for the firmware when it boots a kernel itself (`kernel-hashes=on`). */
export interface KernelHashes {
  /** SHA-256 of the kernel file as it is: QEMU does not patch its header under SEV. 32 bytes. */
  readonly kernel: Uint8Array;
  /** SHA-256 of the initrd; of nothing when there is none. 32 bytes. */
  readonly initrd: Uint8Array;
  readonly commandLine: string;
}

const TABLE = "9438d606-4f22-4cc9-b479-a793d411fd21";
const COMMAND_LINE = "97d02dd8-bd20-4c94-aa78-e7714d36ab2a";
const INITRD = "44baf731-3a2f-4bd7-9af1-41e29169781d";
const KERNEL = "4de79437-abd2-427f-b835-d5b172d2045b";

/** An entry is GUID, u16 length, SHA-256; the table is GUID, u16 length and three entries (QEMU target/i386/sev.c). */
const ENTRY_BYTES = 50;
const TABLE_BYTES = 168;
/** The table as it lies in memory, padded to 16 bytes. */
const PADDED_BYTES = 176;

function entry(guid: string, sha256: Uint8Array): Uint8Array {
  if (sha256.length !== 32) throw invalid("kernel hashes", "a hash has not 32 bytes");
  return Uint8Array.of(...guidBytes(guid), ENTRY_BYTES, 0, ...sha256);
}

/** The padded table: command line with its NUL, initrd, kernel. 176 bytes. */
export function kernelHashTable({ kernel, initrd, commandLine }: KernelHashes): Uint8Array {
  const table = new Uint8Array(PADDED_BYTES);
  const commandLineHash = digestOf("sha256", commandLineBytes(commandLine), Uint8Array.of(0));
  table.set([
    ...guidBytes(TABLE),
    TABLE_BYTES,
    0,
    ...entry(COMMAND_LINE, commandLineHash),
    ...entry(INITRD, initrd),
    ...entry(KERNEL, kernel),
  ]);
  return table;
}

/** The page the launcher adds: zeros but for the table at the place the firmware's table entry names. */
export function kernelHashPage(hashes: KernelHashes, sectionGpa: number, tableGpa: number): Uint8Array {
  const offset = tableGpa - sectionGpa;
  if (offset < 0 || offset + PADDED_BYTES > PAGE_BYTES)
    throw invalid("firmware", "its SEV hash table does not lie in its kernel hashes section");
  const page = new Uint8Array(PAGE_BYTES);
  page.set(kernelHashTable(hashes), offset);
  return page;
}
