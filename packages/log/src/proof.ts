/** Inclusion and consistency (RFC 9162 sections 2.1.3 and 2.1.4): checked, and proven from a log's tiles. */
import { bytesEqual, CmcpError } from "@cmcp/boundary";
import { HASH_BYTES, isLogSize, nodeInput, siblingSides } from "./path.ts";
import {
  completeSubtrees,
  consistencyRanges,
  inclusionRanges,
  type CompleteSubtree,
  type LeafRange,
} from "./subtree.ts";
import { hashInTile, TILE_HEIGHT, TILE_WIDTH, tileAt, type Tile } from "./tile.ts";

/** SHA-256 of whatever platform there is. */
export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>;

/** A head of a log: number of leaves, and root hash. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * The root hash that an inclusion path leads to; `undefined` if the path does not fit (RFC 9162 section 2.1.3.2).
 *
 * @param leaf the leaf's hash
 * @param index the leaf's place from 0
 * @param path chosen by somebody else
 */
export async function rootFromPath(
  leaf: Uint8Array,
  { index, size, path }: { readonly index: number; readonly size: number; readonly path: readonly Uint8Array[] },
  sha256: Sha256,
): Promise<Uint8Array | undefined> {
  const sides = siblingSides(index, size, path.length);
  if (sides === undefined || ![leaf, ...path].every(isHash)) return undefined;
  let node = leaf;
  for (const [at, sibling] of path.entries())
    node = await sha256(sides[at] === "left" ? nodeInput(sibling, node) : nodeInput(node, sibling));
  return node;
}

/**
 * Whether a consistency proof shows that the older tree is the beginning of the newer (RFC 9162 section 2.1.4.2). The
 * empty tree is the beginning of every tree, with an empty proof.
 *
 * @param proof chosen by somebody else
 */
export async function isConsistent(
  older: TreeHead,
  newer: TreeHead,
  proof: readonly Uint8Array[],
  sha256: Sha256,
): Promise<boolean> {
  if (![older, newer].every(({ size, root }) => isLogSize(size) && isHash(root)) || !proof.every(isHash)) return false;
  if (older.size > newer.size) return false;
  if (older.size === newer.size) return proof.length === 0 && bytesEqual(older.root, newer.root);
  if (older.size === 0) return proof.length === 0 && bytesEqual(older.root, await sha256(new Uint8Array()));
  // The last leaf of the older tree goes up to the largest complete subtree that it ends.
  let [place, last] = [older.size - 1, newer.size - 1];
  while (place % 2 === 1) [place, last] = [(place - 1) / 2, Math.floor(last / 2)];
  const [first, ...siblings] = place === 0 ? [older.root, ...proof] : proof;
  const sides = siblingSides(place, last + 1, siblings.length);
  if (first === undefined || sides === undefined) return false;
  let [olderRoot, newerRoot] = [first, first];
  for (const [at, sibling] of siblings.entries()) {
    if (sides[at] === "left") olderRoot = await sha256(nodeInput(sibling, olderRoot));
    newerRoot = await sha256(sides[at] === "left" ? nodeInput(sibling, newerRoot) : nodeInput(newerRoot, sibling));
  }
  return bytesEqual(olderRoot, older.root) && bytesEqual(newerRoot, newer.root);
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === HASH_BYTES;
}

/** Reads a tile: its hashes, or those of a wider tile at the same place. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array>;

/** Proofs over one log at one size. Tiles are read once, and kept as long as this is; one that could not be
 * read is read again. */
export class Prover {
  readonly #size: number;
  readonly #read: ReadTile;
  readonly #sha256: Sha256;
  readonly #tiles = new Map<string, Promise<Uint8Array>>();

  /** @param size number of leaves, at most `MAX_LOG_SIZE` */
  constructor(size: number, read: ReadTile, sha256: Sha256) {
    this.#size = size;
    this.#read = read;
    this.#sha256 = sha256;
  }

  /**
   * The inclusion path of a leaf, lowest hash first.
   *
   * @param index from 0, below the size
   * @throws CmcpError `LOG_TREE_INVALID` for another index, or a tile that lacks hashes; and what reading a tile throws
   */
  async inclusion(index: number): Promise<Uint8Array[]> {
    if (!isLogSize(index) || index >= this.#size) throw invalid("the log has no leaf of this index");
    return await this.#hashesOf(inclusionRanges(index, this.#size));
  }

  /**
   * The proof that the log at an older size is the beginning of this one.
   *
   * @param older from 0, at most the size
   * @throws as {@link Prover.inclusion}
   */
  async consistency(older: number): Promise<Uint8Array[]> {
    if (!isLogSize(older) || older > this.#size) throw invalid("the log was never of this size");
    return older === 0 ? [] : await this.#hashesOf(consistencyRanges(older, this.#size));
  }

  /**
   * The compact range: a hash for each complete subtree, the largest first.
   *
   * @throws as {@link Prover.inclusion}
   */
  async range(): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const subtree of completeSubtrees({ start: 0, end: this.#size }))
      hashes.push(await this.#subtreeHash(subtree));
    return hashes;
  }

  /**
   * The root hash.
   *
   * @throws as {@link Prover.inclusion}
   */
  async root(): Promise<Uint8Array> {
    return this.#size === 0
      ? await this.#sha256(new Uint8Array())
      : await this.#rangeHash({ start: 0, end: this.#size });
  }

  async #hashesOf(ranges: readonly LeafRange[]): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const range of ranges) hashes.push(await this.#rangeHash(range));
    return hashes;
  }

  async #rangeHash(range: LeafRange): Promise<Uint8Array> {
    const subtrees = completeSubtrees(range);
    const hashes: Uint8Array[] = [];
    for (const subtree of subtrees) hashes.push(await this.#subtreeHash(subtree));
    let root: Uint8Array | undefined;
    for (const hash of hashes.toReversed()) root = root === undefined ? hash : await this.#node(hash, root);
    if (root === undefined) throw invalid("a subtree has leaves");
    return root;
  }

  /** The hash of a complete subtree, over those hashes of the tile that are below it. */
  async #subtreeHash({ height, index }: CompleteSubtree): Promise<Uint8Array> {
    const level = Math.floor(height / TILE_HEIGHT);
    const width = 2 ** (height % TILE_HEIGHT);
    const first = index * width;
    const bytes = await this.#tile(level, Math.floor(first / TILE_WIDTH));
    let nodes = Array.from({ length: width }, (_, at) => {
      const hash = hashInTile(bytes, (first % TILE_WIDTH) + at);
      if (hash === undefined) throw invalid("a tile lacks hashes");
      return hash;
    });
    while (nodes.length > 1) nodes = await this.#paired(nodes);
    const [root] = nodes;
    if (root === undefined) throw invalid("a subtree has leaves");
    return root;
  }

  async #paired(nodes: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const parents: Uint8Array[] = [];
    for (let at = 0; at + 1 < nodes.length; at += 2) {
      const [left, right] = nodes.slice(at, at + 2);
      if (left !== undefined && right !== undefined) parents.push(await this.#node(left, right));
    }
    return parents;
  }

  async #node(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
    return await this.#sha256(nodeInput(left, right));
  }

  async #tile(level: number, index: number): Promise<Uint8Array> {
    const name = `${level}/${index}`;
    const tile = tileAt(level, index, this.#size);
    if (tile === undefined) throw invalid("the log has no such tile");
    const read = this.#tiles.get(name) ?? this.#read(tile);
    this.#tiles.set(name, read);
    try {
      return await read;
    } catch (thrown) {
      this.#tiles.delete(name);
      throw thrown;
    }
  }
}

function invalid(why: string): CmcpError {
  return new CmcpError("LOG_TREE_INVALID", why);
}
