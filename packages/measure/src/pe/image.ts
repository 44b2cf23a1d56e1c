import type { ByteReader } from "@cmcp/boundary";
import { inputReader, invalid } from "../bytes/input.ts";

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
  readonly reader: ByteReader;
  /** Offsets of the two fields that an Authenticode digest leaves out. */
  readonly checksum: number;
  readonly certificateDirectory: number;
  readonly headersEnd: number;
  /** In the order of the section table. */
  readonly sections: readonly PeSection[];
  /** Where the attribute certificates begin: the file's end when there are none. */
  readonly certificates: number;
}

function sectionsOf(reader: ByteReader, table: number, count: number): PeSection[] {
  return Array.from({ length: count }, (_, index): PeSection => {
    const row = reader.at(table + index * SECTION_BYTES);
    const name = Buffer.from(row.take(8)).toString("latin1").replace(/\0+$/, "");
    const virtualSize = row.u32();
    row.skip(4);
    const [size, offset] = [row.u32(), row.u32()];
    if (size > 0) reader.slice(offset, size);
    return { name, offset, size, virtualSize };
  });
}

function certificatesOf(reader: ByteReader, directory: number): number {
  const [offset, size] = [reader.at(directory).u32(), reader.at(directory + 4).u32()];
  if (size === 0) return reader.length;
  if (offset + size !== reader.length) throw invalid("PE file", "its certificates do not end where the file ends");
  return offset;
}

/** Checks that a PE32+ file's headers and sections lie in it. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function openPe(bytes: Uint8Array): PeImage {
  if (bytes.length > MAX_PE) throw invalid("PE file", `more than ${MAX_PE} bytes`);
  const reader = inputReader(bytes, "PE file");
  const header = reader.at(PE_OFFSET).u32();
  if (reader.at(0).u16() !== 0x5a4d || reader.at(header).u32() !== 0x4550)
    throw invalid("PE file", "does not begin as one");
  const [count, optionalSize, optional] = [
    reader.at(header + 6).u16(),
    reader.at(header + 20).u16(),
    header + 4 + COFF_BYTES,
  ];
  if (reader.at(optional).u16() !== PE32_PLUS)
    throw invalid("PE file", "is not PE32+, the format of 64-bit EFI programs");
  if (count > MAX_SECTIONS) throw invalid("PE file", `${count} sections, at most ${MAX_SECTIONS}`);
  const certificateDirectory = optional + CERTIFICATE_DIRECTORY;
  if (reader.at(optional + DIRECTORY_COUNT).u32() <= 4 || optionalSize < CERTIFICATE_DIRECTORY + DIRECTORY_BYTES)
    throw invalid("PE file", "has no entry for certificates in its header");
  const headersEnd = reader.at(optional + SIZE_OF_HEADERS).u32();
  const table = optional + optionalSize;
  if (table + count * SECTION_BYTES > headersEnd) throw invalid("PE file", "its section table leaves its headers");
  reader.slice(0, headersEnd);
  return {
    reader,
    checksum: optional + CHECKSUM,
    certificateDirectory,
    headersEnd,
    sections: sectionsOf(reader, table, count),
    certificates: certificatesOf(reader, certificateDirectory),
  };
}
