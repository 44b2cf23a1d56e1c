import { crc32 } from "node:zlib";
import { malformed } from "../malformed.ts";
import { decodeLzma2, Output } from "./lzma2.ts";

const HEADER = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);
const LZMA2_FILTER = 0x21;
/** Bytes of a block's check by its type (xz file format 1.2.0, section 2.1.1.2). */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

/**
 * Decompresses an `.xz` file as Debian packages and kernel modules use it: one or more streams, LZMA2 the only filter.
 * The blocks' own checks are skipped, because every file that comes here was compared with its SHA-256 before.
 *
 * @throws CmcpError `IMAGE_INPUT_INVALID` for anything else, and over `limit` bytes
 */
export function unxz(bytes: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit);
  let at = 0;
  while (at < bytes.length) {
    at = decodeStream(bytes, at, output);
    // Padding between streams comes in fours.
    while (at < bytes.length && bytes[at] === 0) at += 1;
  }
  return output.taken();
}

function decodeStream(bytes: Uint8Array, from: number, output: Output): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (from + 12 > bytes.length || HEADER.some((byte, index) => bytes[from + index] !== byte))
    throw malformed("xz", "no stream header");
  if (crc32(bytes.subarray(from + 6, from + 8)) !== view.getUint32(from + 8, true))
    throw malformed("xz", "a damaged stream header");
  const check = CHECK_BYTES[(bytes[from + 7] ?? 0) & 0xf] ?? 0;
  let at = from + 12;
  // A zero where a block header would be is the index, which repeats sizes that the blocks already told.
  while (bytes[at] !== 0) {
    const headerSize = ((bytes[at] ?? 0) + 1) * 4;
    if (at + headerSize > bytes.length) throw malformed("xz", "a block header ends early");
    if (crc32(bytes.subarray(at, at + headerSize - 4)) !== view.getUint32(at + headerSize - 4, true))
      throw malformed("xz", "a damaged block header");
    assertOnlyLzma2(bytes, at);
    const start = at + headerSize;
    const end = decodeLzma2(bytes, start, output);
    at = end + ((4 - ((end - start) % 4)) % 4) + check;
    if (at >= bytes.length) throw malformed("xz", "a stream ends early");
  }
  return skipIndex(bytes, at);
}

function assertOnlyLzma2(bytes: Uint8Array, at: number): void {
  const flags = bytes[at + 1] ?? 0;
  let field = at + 2;
  if ((flags & 0x40) !== 0) field = skipInteger(bytes, field);
  if ((flags & 0x80) !== 0) field = skipInteger(bytes, field);
  if ((flags & 0x3f) !== 0 || bytes[field] !== LZMA2_FILTER) throw malformed("xz", "a filter other than LZMA2");
}

/** Past index and footer. */
function skipIndex(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  const count = integer(bytes, at);
  at = skipInteger(bytes, at);
  for (let record = 0; record < count; record += 1) at = skipInteger(bytes, skipInteger(bytes, at));
  at += (4 - ((at - from) % 4)) % 4;
  const end = at + 4 + 12;
  if (end > bytes.length) throw malformed("xz", "the index ends early");
  return end;
}

function skipInteger(bytes: Uint8Array, from: number): number {
  let at = from;
  while (((bytes[at] ?? 0) & 0x80) !== 0) at += 1;
  return at + 1;
}

/** A multibyte integer (section 1.2), of at most four bytes here. */
function integer(bytes: Uint8Array, from: number): number {
  let value = 0;
  for (let place = 0; place < 4; place += 1) {
    const byte = bytes[from + place] ?? 0;
    value |= (byte & 0x7f) << (7 * place);
    if ((byte & 0x80) === 0) return value;
  }
  throw malformed("xz", "too many blocks");
}
