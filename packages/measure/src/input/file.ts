import { createHash } from "node:crypto";
import { constants, open, type FileHandle } from "node:fs/promises";
import type { DigestPair } from "../boot/event.ts";
import { invalid } from "../bytes/input.ts";

/** The largest initrd, in bytes: QEMU places it below 4 GiB together with everything else. */
export const MAX_INITRD = 2 * 1024 * 1024 * 1024;
/** Bytes read at a time where a file is hashed and not kept. */
const CHUNK = 1024 * 1024;

/** Size and digests of a file that was read once. */
export interface FileDigest {
  readonly bytes: number;
  readonly digest: DigestPair;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
}

async function openRegular(path: string, what: string, max: number): Promise<OpenFile> {
  // Without O_NONBLOCK the open of a named pipe waits for somebody to write.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((thrown: unknown) => {
    throw invalid(
      what,
      `cannot read ${path} (${thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown"})`,
    );
  });
  const stat = await handle.stat();
  if (stat.isFile() && stat.size <= max) return { handle, size: stat.size };
  await handle.close();
  throw invalid(what, stat.isFile() ? `${path} has ${stat.size} bytes, at most ${max}` : `${path} is not a file`);
}

/** Fills `target` from the file's `offset` on; a file that has become shorter meanwhile is refused. */
async function fill({ handle }: OpenFile, target: Uint8Array, offset: number, what: string): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
    if (bytesRead === 0) throw invalid(what, "became shorter while it was read");
    done += bytesRead;
  }
}

/** A whole file. @throws CmcpError `MEASURE_INPUT_INVALID` when it cannot be read or has more than `max` bytes */
export async function readInput(path: string, what: string, max: number): Promise<Uint8Array> {
  const file = await openRegular(path, what, max);
  try {
    const bytes = new Uint8Array(file.size);
    await fill(file, bytes, 0, what);
    return bytes;
  } finally {
    await file.handle.close();
  }
}

/** Both digests of a file, read once and not kept. @throws CmcpError `MEASURE_INPUT_INVALID` as {@link readInput} */
export async function digestInput(path: string, what: string, max: number): Promise<FileDigest> {
  const file = await openRegular(path, what, max);
  try {
    const [sha256, sha384] = [createHash("sha256"), createHash("sha384")];
    const buffer = new Uint8Array(Math.min(CHUNK, file.size));
    for (let offset = 0; offset < file.size; offset += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, file.size - offset));
      await fill(file, piece, offset, what);
      sha256.update(piece);
      sha384.update(piece);
    }
    return { bytes: file.size, digest: { sha256: sha256.digest(), sha384: sha384.digest() } };
  } finally {
    await file.handle.close();
  }
}
