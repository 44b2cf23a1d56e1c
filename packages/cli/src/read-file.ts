import { readBounded } from "@cmcp/launch/files";

/** Largest file in bytes, unless a command sets another limit: a claim, evidence, certificates, an event log. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;
/** Largest file of a key, a call or a receipt, in bytes. */
const MAX_SMALL_BYTES = 4 * 1024 * 1024;

/**
 * Reads a regular file of at most `maxBytes`. Devices and pipes, which may have no end, are refused unread.
 * @throws CmcpError `USAGE` naming the path
 */
export async function readAtMost(maxBytes: number, path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readBounded(path, { what: "file", code: "USAGE", maxBytes });
}

/** {@link readAtMost} for a file of a record or of evidence. */
export async function readFileOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readAtMost(MAX_FILE_BYTES, path);
}

/** {@link readAtMost} for a key, a call or a receipt. */
export async function readSmallFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readAtMost(MAX_SMALL_BYTES, path);
}
