import { invalid } from "../bytes/refuse.ts";
import { ByteView } from "../bytes/view.ts";

/** The largest PE file read, in bytes: a kernel has 15 MiB, a unified kernel image what its initrd has. */
export const MAX_PE = 1024 * 1024 * 1024;

/** Sections a file may have; the loader of Windows takes 96. */
const MAX_SECTIONS = 96;
/** Offsets and sizes of the PE/COFF format (Microsoft PE format, sections 3.3, 3.4 and 4). */
const PE_OFFSET = 0x3c;
const COFF_BYTES = 20;
const PE32_PLUS = 0x20b;
const SIZE_OF_HEADERS = 60;
const CHECKSUM = 64;
const DIRECTORY_COUNT = 108;
const CERTIFICATE_DIRECTORY = 144;
const DIRECTORY_BYTES = 8;
const SECTION_BYTES = 40;

/** One section of a PE file. */
export interface PeSection {
  readonly name: string;
  /** Offset and bytes in the file. */
  readonly offset: number;
  readonly size: number;
  /** Bytes in memory; what the file does not have of them is zero. */
  readonly virtualSize: number;
}

/** A PE32+ file whose parts were checked to lie in it. */
export interface PeImage {
  readonly view: ByteView;
  /** Offsets of the two fields that an Authenticode digest leaves out. */
  readonly checksum: number;
  readonly certificateDirectory: number;
  readonly headersEnd: number;
  /** In the order of the section table. */
  readonly sections: readonly PeSection[];
  /** Where the attribute certificates begin: the file's end when there are none. */
  readonly certificates: number;
}

function sectionsOf(view: ByteView, table: number, count: number): PeSection[] {
  return Array.from({ length: count }, (_, index): PeSection => {
    const at = table + index * SECTION_BYTES;
    const name = Buffer.from(view.slice(at, 8)).toString("latin1").replace(/\0+$/, "");
    const [virtualSize, size, offset] = [view.u32(at + 8), view.u32(at + 16), view.u32(at + 20)];
    if (size > 0) view.slice(offset, size);
    return { name, offset, size, virtualSize };
  });
}

function certificatesOf(view: ByteView, directory: number): number {
  const [offset, size] = [view.u32(directory), view.u32(directory + 4)];
  if (size === 0) return view.length;
  if (offset + size !== view.length) throw invalid("PE file", "its certificates do not end where the file ends");
  return offset;
}

/** Checks that a PE32+ file's headers and sections lie in it. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function openPe(bytes: Uint8Array): PeImage {
  if (bytes.length > MAX_PE) throw invalid("PE file", `more than ${MAX_PE} bytes`);
  const view = new ByteView(bytes, "PE file");
  const header = view.u32(PE_OFFSET);
  if (view.u16(0) !== 0x5a4d || view.u32(header) !== 0x4550) throw invalid("PE file", "does not begin as one");
  const [count, optionalSize, optional] = [view.u16(header + 6), view.u16(header + 20), header + 4 + COFF_BYTES];
  if (view.u16(optional) !== PE32_PLUS) throw invalid("PE file", "is not PE32+, the format of 64-bit EFI programs");
  if (count > MAX_SECTIONS) throw invalid("PE file", `${count} sections, at most ${MAX_SECTIONS}`);
  const certificateDirectory = optional + CERTIFICATE_DIRECTORY;
  if (view.u32(optional + DIRECTORY_COUNT) <= 4 || optionalSize < CERTIFICATE_DIRECTORY + DIRECTORY_BYTES)
    throw invalid("PE file", "has no entry for certificates in its header");
  const headersEnd = view.u32(optional + SIZE_OF_HEADERS);
  const table = optional + optionalSize;
  if (table + count * SECTION_BYTES > headersEnd) throw invalid("PE file", "its section table leaves its headers");
  view.slice(0, headersEnd);
  return {
    view,
    checksum: optional + CHECKSUM,
    certificateDirectory,
    headersEnd,
    sections: sectionsOf(view, table, count),
    certificates: certificatesOf(view, certificateDirectory),
  };
}
