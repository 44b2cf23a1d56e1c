/** One section of a PE file made for a test. */
export interface SectionRecipe {
  readonly name: string;
  readonly content: Uint8Array;
  readonly virtualSize?: number;
}

const HEADERS = 0x400;
const ALIGNMENT = 0x200;
/** Where the PE header lies in files made here. */
export const PE_HEADER = 0x80;
/** Offset of the optional header in them. */
export const OPTIONAL_HEADER = PE_HEADER + 24;
/** Offset of their section table. */
export const SECTION_TABLE = OPTIONAL_HEADER + 240;

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Makes a PE32+ file with sections one after the other, and certificates behind them if any are given. */
export function buildPe(sections: readonly SectionRecipe[], certificates: Uint8Array = new Uint8Array()): Buffer {
  const end = sections.reduce((total, { content }) => total + aligned(content.length), HEADERS);
  const file = Buffer.alloc(end + certificates.length);
  file.write("MZ", 0, "latin1");
  file.writeUInt32LE(PE_HEADER, 0x3c);
  file.write("PE\0\0", PE_HEADER, "latin1");
  file.writeUInt16LE(0x8664, PE_HEADER + 4);
  file.writeUInt16LE(sections.length, PE_HEADER + 6);
  file.writeUInt16LE(240, PE_HEADER + 20);
  file.writeUInt16LE(0x20b, OPTIONAL_HEADER);
  file.writeUInt32LE(HEADERS, OPTIONAL_HEADER + 60);
  file.writeUInt32LE(0x1234_5678, OPTIONAL_HEADER + 64);
  file.writeUInt32LE(16, OPTIONAL_HEADER + 108);
  if (certificates.length > 0) {
    file.writeUInt32LE(end, OPTIONAL_HEADER + 144);
    file.writeUInt32LE(certificates.length, OPTIONAL_HEADER + 148);
    file.set(certificates, end);
  }
  let offset = HEADERS;
  for (const [index, { name, content, virtualSize }] of sections.entries()) {
    const at = SECTION_TABLE + index * 40;
    file.write(name, at, 8, "latin1");
    file.writeUInt32LE(virtualSize ?? content.length, at + 8);
    file.writeUInt32LE(aligned(content.length), at + 16);
    file.writeUInt32LE(offset, at + 20);
    file.set(content, offset);
    offset += aligned(content.length);
  }
  return file;
}
