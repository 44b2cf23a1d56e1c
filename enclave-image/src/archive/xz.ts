import xz from "xz-decompress";
import { malformed } from "./malformed.ts";

/**
 * Decompresses an `.xz` file as Debian packages and kernel modules use it, and compares the checks of its blocks.
 *
 * @throws CmcpError `IMAGE_INPUT_INVALID` for anything else
 */
export async function unxz(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await new Response(new xz.XzReadableStream(ReadableStream.from([bytes]))).bytes();
  } catch (cause) {
    throw malformed("xz", "a damaged file", cause);
  }
}
