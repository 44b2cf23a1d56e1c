/** Bundles of entries (C2SP tlog-tiles, "Log entries"): the leaves whose hashes one tile of level 0 has. */
import { CmcpError } from "@cmcp/boundary";
import { TILE_WIDTH } from "./tile.ts";

/** Longest leaf of a bundle, in bytes: its length has 16 bits. */
const MAX_ENTRY_BYTES = 0xffff;

/** Bytes of the length before each leaf. */
const LENGTH_BYTES = 2;

/** Bytes of the largest bundle. */
export const MAX_ENTRIES_BYTES = TILE_WIDTH * (LENGTH_BYTES + MAX_ENTRY_BYTES);

/**
 * Writes a bundle: each leaf behind its length, two bytes, big-endian.
 *
 * @param leaves up to 256
 * @throws CmcpError `LOG_EXPORT_MALFORMED` for a leaf of more than 65535 bytes, or more leaves than a tile has
 */
export function encodeEntries(leaves: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (leaves.length > TILE_WIDTH || leaves.some(({ length }) => length > MAX_ENTRY_BYTES))
    throw malformed("its leaves are too many or too long");
  const bytes = new Uint8Array(leaves.reduce((total, { length }) => total + LENGTH_BYTES + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const leaf of leaves) {
    view.setUint16(at, leaf.length);
    bytes.set(leaf, at + LENGTH_BYTES);
    at += LENGTH_BYTES + leaf.length;
  }
  return bytes;
}

/**
 * Reads a bundle. The leaves are views of its bytes.
 *
 * @param bytes chosen by somebody else
 * @param width number of leaves that it must have
 * @throws CmcpError `LOG_EXPORT_MALFORMED` for another number of leaves, or one that is cut off
 */
export function decodeEntries(bytes: Uint8Array, width: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (leaves.length === width) throw malformed("it has more leaves than its tile");
    if (at + LENGTH_BYTES > bytes.length) throw malformed("its last leaf is cut off");
    const start = at + LENGTH_BYTES;
    at = start + view.getUint16(at);
    if (at > bytes.length) throw malformed("its last leaf is cut off");
    leaves.push(bytes.subarray(start, at));
  }
  if (leaves.length !== width) throw malformed("it has fewer leaves than its tile");
  return leaves;
}

function malformed(why: string): CmcpError {
  return new CmcpError("LOG_EXPORT_MALFORMED", `not a bundle of entries: ${why}`);
}
