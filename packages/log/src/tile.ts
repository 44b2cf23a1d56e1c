/** Where the hashes of a log's tree lie (C2SP tlog-tiles): files of up to 256 hashes of one height. */
import { HASH_BYTES, isLogSize } from "./path.ts";

/** Hashes of a full tile, and by how much the tiles of two levels differ in size. */
export const TILE_WIDTH = 256;

/** Height of a tile: the tree over its hashes has this many heights. */
export const TILE_HEIGHT = 8;

/** Highest level of a tile; a log of the largest size has one hash there. */
export const MAX_TILE_LEVEL = 6;

/** A file of hashes. */
export interface Tile {
  /** 0 for leaf hashes; each hash of the level above is that of a full tile of this one. */
  readonly level: number;
  /** Place in the level, from 0. */
  readonly index: number;
  /** Number of hashes, from 1 to {@link TILE_WIDTH}. */
  readonly width: number;
}

/** Number of complete hashes that a log of this size has at a level. */
function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The tile at a place as it is in a log of this size; `undefined` if that has none there. */
export function tileAt(level: number, index: number, size: number): Tile | undefined {
  const width = Math.min(hashesAt(level, size) - index * TILE_WIDTH, TILE_WIDTH);
  return width > 0 ? { level, index, width } : undefined;
}

/**
 * All tiles of a log of one size that are not in the same log at an older size, by level and index.
 *
 * @param older from 0, at most `size`
 */
export function* tilesOf(size: number, older = 0): Generator<Tile, void, void> {
  for (let level = 0; hashesAt(level, size) > hashesAt(level, older); level += 1) {
    let index = Math.floor(hashesAt(level, older) / TILE_WIDTH);
    for (let tile = tileAt(level, index, size); tile !== undefined; tile = tileAt(level, index, size)) {
      yield tile;
      index += 1;
    }
  }
}

/** Path of a tile below a log's prefix, such as `tile/0/x001/234.p/5`. */
export function tilePath(tile: Tile): string {
  return `tile/${tile.level}/${placePath(tile)}`;
}

/** Path of the bundle of entries whose hashes a tile of level 0 has, such as `tile/entries/x001/234.p/5`. */
export function entriesPath(tile: Tile): string {
  return `tile/entries/${placePath(tile)}`;
}

/**
 * Path of the bodies beside the entries of a bundle, such as `bodies/x001/234.p/5.jsonl`: a line for each entry. C2SP
 * has no bodies.
 */
export function bodiesPath(tile: Tile): string {
  return `bodies/${placePath(tile)}.jsonl`;
}

/** The index in groups of three digits, all but the last behind an `x`; of a partial tile its width, too. */
function placePath({ index, width }: Tile): string {
  const groups =
    String(index)
      .padStart(3 * Math.ceil(String(index).length / 3), "0")
      .match(/.{3}/g) ?? [];
  const place = groups.map((digits, at) => (at < groups.length - 1 ? `x${digits}` : digits)).join("/");
  return width === TILE_WIDTH ? place : `${place}.p/${width}`;
}

/** Longest path of a tile: level, an index of 15 digits, a partial width. */
const MAX_PATH_LENGTH = 64;

/**
 * The tile that a path names; `undefined` for a path that names none, or names it in another way than {@link tilePath}.
 *
 * @param path chosen by somebody else
 */
export function parseTilePath(path: string): Tile | undefined {
  if (path.length > MAX_PATH_LENGTH) return undefined;
  const [, level, groups = "", width] = /^tile\/([0-6])\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
  if (level === undefined) return undefined;
  const tile = {
    level: Number(level),
    index: Number(groups.replaceAll(/[x/]/g, "")),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  const inLog = isLogSize((tile.index * TILE_WIDTH + tile.width) * TILE_WIDTH ** tile.level);
  return inLog && tile.width > 0 && tilePath(tile) === path ? tile : undefined;
}

/** One hash of a tile's bytes, a view; `undefined` if they do not hold it. */
export function hashInTile(bytes: Uint8Array, place: number): Uint8Array | undefined {
  const hash = bytes.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES);
  return hash.length === HASH_BYTES ? hash : undefined;
}
