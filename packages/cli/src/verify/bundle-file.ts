import { readPieces } from "@cmcp/launch/files";
import { MAX_BUNDLE_BYTES } from "@cmcp/verify";
import { readAtMost } from "../read-file.ts";

/** Largest file of an audit bundle that is read as it comes, in bytes. */
const MAX_STREAMED_BYTES = 64 * 1024 * 1024 * 1024;

/**
 * Reads the whole file of an audit bundle, or of an incomplete session after a crash.
 * @throws CmcpError `USAGE` naming the path
 */
export async function readBundleFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readAtMost(MAX_BUNDLE_BYTES, path);
}

/**
 * The file of an audit bundle in pieces, which is opened when the first is read.
 * @throws CmcpError `USAGE` naming the path, while the pieces are read
 */
export function bundlePieces(path: string): AsyncIterable<Uint8Array> {
  return readPieces(path, { what: "file", code: "USAGE", maxBytes: MAX_STREAMED_BYTES });
}
