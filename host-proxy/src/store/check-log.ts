import { hash } from "node:crypto";
import { bytesEqual } from "@cmcp/boundary";
import { HASH_BYTES, leafHash, TileTail, TILE_LEVELS, type Tile } from "./hash-tiles.ts";
import type { LogStore } from "./log-store.ts";
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
 * @throws AUDIT_STORE_MISMATCH when an index is missing or a tile is another; AUDIT_STORE_UNAVAILABLE when the store
 *   cannot be read
 */
export async function checkLog(store: LogStore): Promise<CheckedLog | null> {
  const head = await store.head();
  if (head === null) return null;
  let tail = new TileTail(0, []);
  const range = new Range();
  for await (const piece of store.scan({ to: head.size, bodies: false })) {
    if (piece[0]?.index !== tail.size) throw malformedStore(`no record at ${tail.size}`);
    const leaves = piece.map(({ header }) => leafHash(header));
    const appended = tail.append(leaves);
    tail = appended.tail;
    for (const leaf of leaves) range.append(leaf);
    for (const tile of appended.tiles) await checkTile(store, tile);
  }
  if (tail.size !== head.size) throw malformedStore(`no record at ${tail.size}`);
  for (let level = 0; level < TILE_LEVELS; level += 1) {
    const index = Math.floor(tail.size / 256 ** (level + 1));
    const hashes = tail.partial(level, index);
    // A log that others append to has more of it.
    const stored = (await store.tile(level, index)).subarray(0, hashes.length);
    if (!bytesEqual(stored, hashes)) throw malformedStore(`another hash tile ${level}/${index}`);
  }
  const root = range.root();
  const [, size, text] = head.note.split("\n");
  const noted = size === String(head.size) && text === Buffer.from(root).toString("base64");
  return { size: head.size, root, noted };
}

async function checkTile(store: LogStore, { level, index, hashes }: Tile): Promise<void> {
  if (!bytesEqual(await store.tile(level, index), hashes)) throw malformedStore(`another hash tile ${level}/${index}`);
}

/** Roots of the largest complete subtrees, left to right. */
class Range {
  readonly #roots: Uint8Array[] = [];
  #size = 0;

  append(leaf: Uint8Array): void {
    let node = leaf;
    this.#size += 1;
    // Each complete pair of subtrees becomes one.
    for (let width = this.#size; width % 2 === 0; width /= 2) node = parent(this.#roots.pop(), node);
    this.#roots.push(node);
  }

  root(): Uint8Array {
    return this.#roots.reduceRight((right, left) => parent(left, right));
  }
}

function parent(left: Uint8Array | undefined, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_BYTES);
  input[0] = 1;
  input.set(left ?? [], 1);
  input.set(right, 1 + HASH_BYTES);
  return hash("sha256", input, "buffer");
}
