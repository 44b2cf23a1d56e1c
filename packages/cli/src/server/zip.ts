import { crc32, inflateRawSync } from "node:zlib";
import { CmcpError } from "@cmcp/boundary";

/** Bounds of an archive: files and folders, bytes of all files, levels of folders, bytes of a path. */
const MAX_ITEMS = 20_000;
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
const MAX_DEPTH = 32;
const MAX_PATH_BYTES = 1_024;

/** APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16: signatures and lengths of the records without their names. */
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
/** The system that wrote the attributes, in the upper byte of "version made by" (4.4.2), and file types of Unix. */
const UNIX = 3;
const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;
const OWNER_EXECUTES = 0o100;

/** A file of an archive. */
export interface ZipFile {
  /** Below the archive's root, with `/` between. */
  readonly path: string;
  readonly isExecutable: boolean;
  readonly bytes: Uint8Array;
}

interface Entry {
  readonly path: string;
  readonly isFolder: boolean;
  readonly isExecutable: boolean;
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  readonly at: number;
}

function refuse(why: string): never {
  throw new CmcpError("BUNDLE_REFUSED", `the archive ${why}`);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** @throws CmcpError `BUNDLE_REFUSED` for a path that is not one below the root in one spelling */
function readPath(name: Buffer): string {
  if (name.length > MAX_PATH_BYTES) return refuse(`has a path of over ${MAX_PATH_BYTES} bytes`);
  let text: string;
  try {
    text = decoder.decode(name);
  } catch {
    return refuse("has a path that is not UTF-8");
  }
  const path = text.endsWith("/") ? text.slice(0, -1) : text;
  const parts = path.split("/");
  if (parts.length > MAX_DEPTH) return refuse(`is deeper than ${MAX_DEPTH} folders`);
  const isPlain = parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPlain || /\p{Cc}|\\/u.test(path) || /^[A-Za-z]:/.test(path))
    return refuse(`has the path ${JSON.stringify(text)}, which leads out of it or is no plain path`);
  return path;
}

function readEntry(bytes: Buffer, at: number): { readonly entry: Entry; readonly next: number } {
  if (at + CENTRAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== CENTRAL) return refuse("has a broken directory");
  const [nameLength, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
  const next = at + CENTRAL_BYTES + (nameLength ?? 0) + (extra ?? 0) + (comment ?? 0);
  if (next > bytes.length) return refuse("has a broken directory");
  const name = bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + (nameLength ?? 0));
  const path = readPath(name);
  const isFolder = name.at(-1) === 0x2f;
  const mode = bytes.readUInt8(at + 5) === UNIX ? bytes.readUInt32LE(at + 38) >>> 16 : 0;
  const type = mode & FILE_TYPE;
  if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR))
    return refuse(`has ${JSON.stringify(path)}, which is a link or a special file`);
  if ((bytes.readUInt16LE(at + 8) & ENCRYPTED) !== 0) return refuse(`has ${JSON.stringify(path)} encrypted`);
  const method = bytes.readUInt16LE(at + 10);
  if (method !== STORED && method !== DEFLATED)
    return refuse(`has ${JSON.stringify(path)} in another compression than deflate`);
  return {
    next,
    entry: {
      path,
      isFolder,
      isExecutable: (mode & OWNER_EXECUTES) !== 0,
      method,
      crc: bytes.readUInt32LE(at + 16),
      compressed: bytes.readUInt32LE(at + 20),
      size: bytes.readUInt32LE(at + 24),
      at: bytes.readUInt32LE(at + 42),
    },
  };
}

/** The directory's entries; every path once, and none both file and folder. */
function readDirectory(bytes: Buffer): readonly Entry[] {
  let end = bytes.length - END_BYTES;
  const first = Math.max(0, end - MAX_COMMENT);
  while (
    end >= first &&
    (bytes.readUInt32LE(end) !== END || end + END_BYTES + bytes.readUInt16LE(end + 20) !== bytes.length)
  )
    end -= 1;
  if (end < first) return refuse("is not a ZIP file, or not whole");
  const [disk, directoryDisk, here, count] = [4, 6, 8, 10].map((offset) => bytes.readUInt16LE(end + offset));
  if (disk !== 0 || directoryDisk !== 0 || here !== count || count === undefined || count === 0xffff)
    return refuse("is split, or a ZIP64 file");
  if (count > MAX_ITEMS) return refuse(`has more than ${MAX_ITEMS} items`);
  const start = bytes.readUInt32LE(end + 16);
  if (start + bytes.readUInt32LE(end + 12) !== end) return refuse("has something between its directory and its end");
  const entries: Entry[] = [];
  let at = start;
  while (at < end && entries.length < count) {
    const { entry, next } = readEntry(bytes.subarray(0, end), at);
    entries.push(entry);
    at = next;
  }
  if (at !== end || entries.length !== count) return refuse("has a broken directory");
  requireDistinct(entries);
  return entries;
}

function requireDistinct(entries: readonly Entry[]): void {
  const files = new Set<string>();
  const seen = new Set<string>();
  for (const { path, isFolder } of entries) {
    if (seen.has(path)) return refuse(`has ${JSON.stringify(path)} twice`);
    seen.add(path);
    if (!isFolder) files.add(path);
  }
  for (const path of seen)
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
      if (files.has(path.slice(0, at))) return refuse(`has ${JSON.stringify(path.slice(0, at))} as file and as folder`);
}

function contentOf(bytes: Buffer, { path, at, method, compressed, size, crc }: Entry): Uint8Array {
  const named = JSON.stringify(path);
  if (at + LOCAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== LOCAL) return refuse(`has no content for ${named}`);
  const nameLength = bytes.readUInt16LE(at + 26);
  const name = bytes.subarray(at + LOCAL_BYTES, at + LOCAL_BYTES + nameLength);
  if (!name.equals(Buffer.from(path)) || bytes.readUInt16LE(at + 8) !== method)
    return refuse(`says two things of ${named}`);
  const start = at + LOCAL_BYTES + nameLength + bytes.readUInt16LE(at + 28);
  const packed = bytes.subarray(start, start + compressed);
  if (packed.length !== compressed) return refuse(`has ${named} cut off`);
  let content: Uint8Array;
  try {
    content = method === STORED ? packed : inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  } catch {
    return refuse(`has ${named} damaged, or larger than it says`);
  }
  if (content.length !== size || crc32(content) !== crc) return refuse(`has ${named} damaged`);
  return content;
}

/**
 * Reads a ZIP file strictly: plain paths, each once, regular files and folders only, no encryption, no ZIP64.
 * @throws CmcpError `BUNDLE_REFUSED` naming what is wrong, also over 20 000 items or 256 MiB of content
 */
export function readZip(archive: Uint8Array): readonly ZipFile[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries = readDirectory(bytes);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_TOTAL_BYTES) return refuse(`unpacks to more than ${MAX_TOTAL_BYTES} bytes`);
  return entries.flatMap((entry) =>
    entry.isFolder ? [] : [{ path: entry.path, isExecutable: entry.isExecutable, bytes: contentOf(bytes, entry) }],
  );
}
