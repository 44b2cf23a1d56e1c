import { inflateRawSync } from "node:zlib";

/** Most bytes of a member that is unpacked. */
const MAX_MEMBER = 16 * 1024 * 1024;

/**
 * One member of a zip whose digest was compared before (APPNOTE 6.3, sections 4.3.12 and 4.3.7).
 *
 * @throws Error when it is not in the archive, or packed in a way other than stored or deflated.
 */
export function readZipMember(zip: Uint8Array, name: string): Uint8Array {
  const bytes = Buffer.from(zip);
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0) throw new Error("the archive has no end record");
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = bytes.readUInt16LE(at + 28);
    if (bytes.toString("utf8", at + 46, at + 46 + nameLength) === name) {
      const method = bytes.readUInt16LE(at + 10);
      const packed = bytes.readUInt32LE(at + 20);
      const local = bytes.readUInt32LE(at + 42);
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      const member = bytes.subarray(start, start + packed);
      if (method === 0) return member;
      if (method === 8) return inflateRawSync(member, { maxOutputLength: MAX_MEMBER });
      throw new Error(`${name} is packed with method ${method}`);
    }
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  throw new Error(`${name} is not in the archive`);
}
