import { malformed } from "./malformed.ts";

const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;

/** One member of an `ar` archive. */
export interface ArMember {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Reads the common `ar` format, which is what a Debian package is (deb(5)). @throws CmcpError `IMAGE_INPUT_INVALID` */
export function readAr(bytes: Uint8Array): ArMember[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text.toString("latin1", 0, MAGIC.length) !== MAGIC) throw malformed("ar", "no archive");
  const members: ArMember[] = [];
  for (let at = MAGIC.length; at < bytes.length; ) {
    const size = Number(text.toString("latin1", at + 48, at + 58).trimEnd());
    const start = at + HEADER_BYTES;
    if (
      text.toString("latin1", at + 58, start) !== "`\n" ||
      !Number.isSafeInteger(size) ||
      size < 0 ||
      start + size > bytes.length
    )
      throw malformed("ar", "a damaged member");
    members.push({
      name: text
        .toString("latin1", at, at + 16)
        .trimEnd()
        .replace(/\/$/, ""),
      data: bytes.subarray(start, start + size),
    });
    // Members begin at even offsets.
    at = start + size + (size % 2);
  }
  return members;
}
