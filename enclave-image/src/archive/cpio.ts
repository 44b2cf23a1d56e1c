/** One member of an initramfs: a folder, or a file with its bytes. Permission bits are octal as in `chmod`. */
export type CpioMember = { readonly path: string; readonly mode: number } & (
  | { readonly kind: "directory" }
  | { readonly kind: "file"; readonly data: Uint8Array }
);

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const MAGIC = "070701";
const TRAILER = "TRAILER!!!";

/**
 * Writes an initramfs in the kernel's `newc` format (Documentation/driver-api/early-userspace/buffer-format.rst). Equal
 * members give equal bytes: they are sorted by path, owned by root, dated 0, and numbered in their order.
 */
export function writeCpio(members: readonly CpioMember[]): Uint8Array {
  const sorted = members.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const parts: Uint8Array[] = [];
  for (const [index, member] of sorted.entries()) {
    const data = member.kind === "file" ? member.data : new Uint8Array(0);
    const mode = member.mode | (member.kind === "file" ? S_IFREG : S_IFDIR);
    parts.push(
      header({ inode: index + 1, mode, links: member.kind === "file" ? 1 : 2, size: data.length, name: member.path }),
      data,
      padding(data.length),
    );
  }
  parts.push(header({ inode: 0, mode: 0, links: 1, size: 0, name: TRAILER }));
  return Buffer.concat(parts);
}

interface HeaderFields {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly name: string;
}

/** Thirteen fields of eight hexadecimal digits after the magic, then the name, padded to four bytes. */
function header({ inode, mode, links, size, name }: HeaderFields): Uint8Array {
  const [uid, gid, time, device, check] = [0, 0, 0, 0, 0];
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, uid, gid, links, time, size, device, device, device, device, nameBytes.length, check];
  const text = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([Buffer.from(text, "latin1"), nameBytes, padding(text.length + nameBytes.length)]);
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
