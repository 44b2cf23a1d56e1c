import { malformed } from "./malformed.ts";

const BLOCK = 512;
/** Bytes of a name or link target. */
const MAX_NAME = 4096;

/** A file, folder or link of an archive. Names are relative, without `.` and `..`. */
export type TarEntry =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink" | "hardlink"; readonly path: string; readonly target: string };

/**
 * Reads a tar archive of the GNU flavour, which dpkg writes: ustar headers, `L` and `K` records for long names.
 *
 * @throws CmcpError `IMAGE_INPUT_INVALID` for anything else, device nodes and names that leave the archive included
 */
export function readTar(bytes: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = [];
  let longName: string | undefined;
  let longTarget: string | undefined;
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = Buffer.from(bytes.buffer, bytes.byteOffset + at, BLOCK);
    if (header.every((byte) => byte === 0)) return entries;
    assertChecksum(header);
    const size = octal(header, 124, 12);
    const start = at + BLOCK;
    if (start + size > bytes.length) throw malformed("tar", "a member ends early");
    const data = bytes.subarray(start, start + size);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "L" || type === "K") {
      if (size > MAX_NAME) throw malformed("tar", "a name is too long");
      const name = text(Buffer.from(data), 0, data.length);
      if (type === "L") longName = name;
      else longTarget = name;
      continue;
    }
    const entry = toEntry(
      type,
      { name: longName ?? ustarName(header), target: longTarget ?? text(header, 157, 100) },
      octal(header, 100, 8) & 0o7777,
      data,
    );
    if (entry !== null) entries.push(entry);
    longName = undefined;
    longTarget = undefined;
  }
  throw malformed("tar", "the end is missing");
}

function toEntry(
  type: string,
  { name, target }: { readonly name: string; readonly target: string },
  mode: number,
  data: Uint8Array,
): TarEntry | null {
  const path = relativePath(name);
  // The archive's own top folder.
  if (path === "") return null;
  switch (type) {
    case "0":
    case "\0":
      return { kind: "file", path, mode, data };
    case "5":
      return { kind: "directory", path, mode };
    case "1":
      return { kind: "hardlink", path, target: relativePath(target) };
    case "2":
      return { kind: "symlink", path, target };
    default:
      throw malformed("tar", `${path} is neither file, folder nor link`);
  }
}

function relativePath(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || parts.includes("..")) throw malformed("tar", "a name leaves the archive");
  return parts.join("/");
}

function ustarName(header: Buffer): string {
  const name = text(header, 0, 100);
  // GNU headers ("ustar  ") keep times where ustar ("ustar\0") keeps a prefix.
  const prefix = header.toString("latin1", 257, 263) === "ustar\0" ? text(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function text(bytes: Buffer, from: number, length: number): string {
  const field = bytes.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end === -1 ? field.length : end);
}

function octal(header: Buffer, from: number, length: number): number {
  const digits = text(header, from, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw malformed("tar", "a number is not octal");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function assertChecksum(header: Buffer): void {
  let sum = 0;
  for (let index = 0; index < BLOCK; index += 1) sum += index >= 148 && index < 156 ? 0x20 : (header[index] ?? 0);
  if (sum !== octal(header, 148, 8)) throw malformed("tar", "a damaged header");
}
