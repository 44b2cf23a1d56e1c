const DIRECTORY = 0o40555;
const FILE = 0o100444;
const TRAILER = `070701${"0".repeat(8 * 4)}00000001${"0".repeat(8 * 6)}0000000B00000000TRAILER!!!`;
/** Bytes of a header with its name's NUL, padded to 4, as the stub writes the trailer. */
const TRAILER_BYTES = 124;

/** Bytes followed by the zeros that lead to the next multiple of four. The bytes are not copied: an initrd is large. */
export function paddedTo4(bytes: Uint8Array): readonly Uint8Array[] {
  return [bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)];
}

function record(inode: number, mode: number, name: string, content: Uint8Array): Uint8Array[] {
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return [...paddedTo4(Buffer.from(header, "latin1")), ...paddedTo4(content)];
}

/** The cpio archive with which systemd-stub hands a section on to the initrd as `/.extra/<name>` (systemd src/boot/cpio.c). */
export function stubArchive(name: string, content: Uint8Array): Uint8Array {
  const trailer = new Uint8Array(TRAILER_BYTES);
  trailer.set(Buffer.from(TRAILER, "latin1"));
  return Buffer.concat([
    ...record(1, DIRECTORY, ".extra", new Uint8Array()),
    ...record(2, FILE, `.extra/${name}`, content),
    trailer,
  ]);
}
