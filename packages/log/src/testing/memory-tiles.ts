import { naiveRoot } from "./naive-tree.ts";
import { TILE_WIDTH, type Tile } from "../tile.ts";

/** Hashes of tiles, of leaves that are all in memory. */
export function tileBytes(leaves: readonly Uint8Array[], { level, index, width }: Tile): Uint8Array {
  const span = TILE_WIDTH ** level;
  const bytes = new Uint8Array(32 * width);
  for (let at = 0; at < width; at += 1) {
    const start = (index * TILE_WIDTH + at) * span;
    bytes.set(naiveRoot(leaves.slice(start, start + span)), 32 * at);
  }
  return bytes;
}
