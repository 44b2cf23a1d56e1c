import { MAX_BUNDLE_BYTES } from "@cmcp/verify";
import { readAtMost } from "../read-file.ts";

/**
 * Reads the file of an audit bundle, or of an incomplete session after a crash.
 * @throws CmcpError `USAGE` naming the path
 */
export async function readBundleFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readAtMost(MAX_BUNDLE_BYTES, path);
}
