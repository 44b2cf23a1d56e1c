import { nodeHash } from "@cmcp/log";
import { HASH_BYTES, TILE_WIDTH } from "@cmcp/log/format";
import { malformedStore } from "./segment.ts";

/** Levels of tiles that 2^48 leaves have. */
export const TILE_LEVELS = 6;

/** A complete tile: 256 hashes, in their order. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

/** Whether a log of at most 2^48 leaves can have such a tile. */
export function isTile(level: number, index: number): boolean {
  return Number.isInteger(level) && level >= 0 && level < TILE_LEVELS && Number.isSafeInteger(index) && index >= 0;
}

/** Hash of the subtree over the hashes of a complete tile, which is one hash of the level above. */
export function tileRoot(hashes: Uint8Array): Uint8Array {
  if (hashes.length !== TILE_WIDTH * HASH_BYTES) throw malformedStore("a hash tile of another length");
  const nodes = new Uint8Array(hashes);
  const at = (index: number): Uint8Array => nodes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  for (let width = TILE_WIDTH; width > 1; width /= 2)
    for (let pair = 0; pair < width / 2; pair += 1) at(pair).set(nodeHash(at(2 * pair), at(2 * pair + 1)));
  return nodes.slice(0, HASH_BYTES);
}

/** Tiles of the level below whose roots are the hashes of the incomplete tile at `level`, from 1, of `size` leaves. */
export function tilesBelow(size: number, level: number): { readonly from: number; readonly to: number } {
  const to = Math.floor(size / TILE_WIDTH ** level);
  return { from: to - (to % TILE_WIDTH), to };
}

/** The hashes of the incomplete tile of each level: all that is needed to complete them. It is never changed. */
export class TileTail {
  readonly size: number;
  readonly #levels: readonly (readonly Uint8Array[])[];

  /**
   * @param size leaves of the tree
   * @param levels from the leaves up, the hashes of the incomplete tile, fewer than 256
   */
  constructor(size: number, levels: readonly (readonly Uint8Array[])[]) {
    this.size = size;
    this.#levels = levels;
    for (let level = 0; level < TILE_LEVELS; level += 1)
      if ((levels[level]?.length ?? 0) !== Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH)
        throw malformedStore("fewer leaves or hash tiles than records");
  }

  /** The tail after more leaves, and the tiles that they complete, each after those it is computed from. */
  append(leaves: readonly Uint8Array[]): { readonly tail: TileTail; readonly tiles: readonly Tile[] } {
    const levels = Array.from({ length: TILE_LEVELS }, (_, level) => [...(this.#levels[level] ?? [])]);
    const tiles: Tile[] = [];
    let size = this.size;
    for (const leaf of leaves) {
      size += 1;
      let carried: Uint8Array | undefined = leaf;
      for (let level = 0; carried !== undefined && level < TILE_LEVELS; level += 1) {
        const hashes: Uint8Array[] = levels[level] ?? [];
        hashes.push(carried);
        carried = undefined;
        if (hashes.length < TILE_WIDTH) break;
        const tile = { level, index: size / TILE_WIDTH ** (level + 1) - 1, hashes: Buffer.concat(hashes) };
        tiles.push(tile);
        levels[level] = [];
        carried = tileRoot(tile.hashes);
      }
    }
    return { tail: new TileTail(size, levels), tiles };
  }

  /** Hashes of the incomplete tile of a level; empty for a complete one, or one that does not begin. */
  partial(level: number, index: number): Uint8Array {
    const complete = Math.floor(this.size / TILE_WIDTH ** (level + 1));
    return index === complete ? Buffer.concat([...(this.#levels[level] ?? [])]) : new Uint8Array(0);
  }
}
