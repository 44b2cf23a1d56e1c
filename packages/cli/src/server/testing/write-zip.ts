import { crc32, deflateRawSync } from "node:zlib";

/** A member of an archive, which may say what is not so. */
export interface ZipMember {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** Unix mode with the file's type; a regular file unless said. */
  readonly mode?: number;
  readonly method?: number;
  readonly flags?: number;
  /** What its directory says of its size. */
  readonly size?: number;
  /** What its local header calls it. */
  readonly localName?: string;
}

const header = (length: number, fields: readonly (readonly [at: number, bytes: 2 | 4, value: number])[]): Buffer => {
  const out = Buffer.alloc(length);
  for (const [at, bytes, value] of fields) out.writeUIntLE(value, at, bytes);
  return out;
};

/** Writes a ZIP file of these members, as they say, whether that is allowed or not. */
export function writeZip(members: readonly ZipMember[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content = "", mode = 0o100644, method = 8, flags = 0, size, localName = name } of members) {
    const bytes = Buffer.from(content);
    const packed = method === 8 ? deflateRawSync(bytes) : bytes;
    const [local, central] = [Buffer.from(localName), Buffer.from(name)];
    const sizes = [crc32(bytes), packed.length, size ?? bytes.length] as const;
    const head = header(30, [
      [0, 4, 0x04034b50],
      [4, 2, 20],
      [6, 2, flags],
      [8, 2, method],
      [14, 4, sizes[0]],
      [18, 4, sizes[1]],
      [22, 4, sizes[2]],
      [26, 2, local.length],
    ]);
    const entry = header(46, [
      [0, 4, 0x02014b50],
      [4, 2, (3 << 8) | 20],
      [6, 2, 20],
      [8, 2, flags],
      [10, 2, method],
      [16, 4, sizes[0]],
      [20, 4, sizes[1]],
      [24, 4, sizes[2]],
      [28, 2, central.length],
      [38, 4, mode * 0x10000],
      [42, 4, at],
    ]);
    bodies.push(head, local, packed);
    directory.push(entry, central);
    at += head.length + local.length + packed.length;
  }
  const index = Buffer.concat(directory);
  const end = header(22, [
    [0, 4, 0x06054b50],
    [8, 2, members.length],
    [10, 2, members.length],
    [12, 4, index.length],
    [16, 4, at],
  ]);
  return Buffer.concat([...bodies, index, end]);
}
