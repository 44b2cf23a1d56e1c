import { bytesEqual } from "@cmcp/boundary";
import { appendLeaves, EMPTY_RANGE, leafHash, rootOf } from "@cmcp/log";
import { formatCheckpoint, TILE_WIDTH } from "@cmcp/log/format";
import { TileTail, TILE_LEVELS, type Tile } from "./hash-tiles.ts";
import type { ReadableLog } from "./log-store.ts";
import { malformedStore } from "./segment.ts";

/** What a check of a log found. */
export interface CheckedLog {
  readonly size: number;
  /** Root of the tree over all leaves (RFC 9162, section 2.1.1), 32 bytes. */
  readonly root: Uint8Array;
  /** Whether the stored note names that size and root; its signature is not looked at. */
  readonly noted: boolean;
}

/**
 * Derives the whole tree from the stored headers and compares each hash tile with it. Bodies are not read, so an archive
 * is not needed.
 * @returns `null` for an empty log
 * @throws AUDIT_STORE_DAMAGED when an index is missing or a tile is another; AUDIT_STORE_UNAVAILABLE when the store
 *   cannot be read
 */
export async function checkLog(store: ReadableLog): Promise<CheckedLog | null> {
  const head = await store.head();
  if (head === null) return null;
  let tail = new TileTail(0, []);
  let range = EMPTY_RANGE;
  for await (const piece of store.scan({ to: head.size, bodies: false })) {
    if (piece[0]?.index !== tail.size) throw malformedStore(`no record at ${tail.size}`);
    const leaves = piece.map(({ header }) => leafHash(header));
    const appended = tail.append(leaves);
    tail = appended.tail;
    ({ range } = appendLeaves(range, leaves));
    for (const tile of appended.tiles) await checkTile(store, tile);
  }
  if (tail.size !== head.size) throw malformedStore(`no record at ${tail.size}`);
  for (let level = 0; level < TILE_LEVELS; level += 1) {
    const index = Math.floor(tail.size / TILE_WIDTH ** (level + 1));
    const hashes = tail.partial(level, index);
    // A log that others append to has more of it.
    const stored = (await store.tile(level, index)).subarray(0, hashes.length);
    if (!bytesEqual(stored, hashes)) throw malformedStore(`another hash tile ${level}/${index}`);
  }
  const root = rootOf(range);
  const [origin = ""] = head.note.split("\n", 1);
  // A signed note is its text, an empty line and signatures.
  const noted = head.note.startsWith(`${formatCheckpoint({ origin, size: head.size, root })}\n`);
  return { size: head.size, root, noted };
}

async function checkTile(store: ReadableLog, { level, index, hashes }: Tile): Promise<void> {
  if (!bytesEqual(await store.tile(level, index), hashes)) throw malformedStore(`another hash tile ${level}/${index}`);
}
