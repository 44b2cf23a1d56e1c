import { CmcpError } from "@cmcp/boundary";

/** System V ABI, "ELF-64 Object File Format": e_ident, e_phoff, e_phentsize, e_phnum. */
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const HEADER_BYTES = 64;
const PHOFF = 32;
const PHENTSIZE = 54;
const PHNUM = 56;
/** A program header: p_type, p_offset, p_filesz. */
const PROGRAM_HEADER_BYTES = 56;
const P_OFFSET = 8;
const P_FILESZ = 32;
const PT_INTERP = 3;

/**
 * A 64-bit little-endian program whose loader is `loader`, an absolute path. The path is appended, and the header
 * PT_INTERP leads there: the kernel reads it from the file.
 * @throws CmcpError `PACKAGE_REFUSED` for a file that is no dynamically linked program
 */
export function withLoader(program: Uint8Array, loader: string): Uint8Array {
  const bytes = Buffer.from(program);
  const refuse = (): never => {
    throw new CmcpError("PACKAGE_REFUSED", "the program is not a dynamically linked 64-bit ELF file");
  };
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return refuse();
  const offset = Number(bytes.readBigUInt64LE(PHOFF));
  const count = bytes.readUInt16LE(PHNUM);
  if (bytes.readUInt16LE(PHENTSIZE) !== PROGRAM_HEADER_BYTES || offset + count * PROGRAM_HEADER_BYTES > bytes.length)
    return refuse();
  const headers = Array.from({ length: count }, (_, index) => offset + index * PROGRAM_HEADER_BYTES);
  const header = headers.find((at) => bytes.readUInt32LE(at) === PT_INTERP);
  if (header === undefined) return refuse();
  const path = Buffer.from(`${loader}\0`);
  bytes.writeBigUInt64LE(BigInt(bytes.length), header + P_OFFSET);
  bytes.writeBigUInt64LE(BigInt(path.length), header + P_FILESZ);
  return Buffer.concat([bytes, path]);
}
