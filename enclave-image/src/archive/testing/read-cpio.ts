/** A member of an initramfs as the kernel would see it. */
export interface ReadMember {
  readonly path: string;
  readonly mode: number;
  readonly owner: number;
  readonly time: number;
  readonly data: Uint8Array;
}

/** Reads a `newc` archive, for comparing what is in an image with what should be. */
export function readCpio(bytes: Uint8Array): ReadMember[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const members: ReadMember[] = [];
  for (let at = 0; ; ) {
    if (text.toString("latin1", at, at + 6) !== "070701") throw new Error(`no header at ${at}`);
    const field = (index: number): number =>
      Number.parseInt(text.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, owner, time, size, nameSize] = [field(1), field(2) + field(3), field(5), field(6), field(11)];
    const path = text.toString("utf8", at + 110, at + 110 + nameSize - 1);
    if (path === "TRAILER!!!") return members;
    const start = aligned(at + 110 + nameSize);
    members.push({ path, mode, owner, time, data: bytes.subarray(start, start + size) });
    at = aligned(start + size);
  }
}

function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
