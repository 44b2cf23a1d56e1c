/** The tree of a log that only grows (RFC 9162 section 2.1), kept as its compact range. Hashes are of 32 bytes. */
import { hash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { HASH_BYTES, isLogSize, leafInput, MAX_LOG_SIZE, nodeInput } from "./path.ts";

/**
 * All that is needed of a tree to append to it: the hashes of its largest complete subtrees, one for each bit that is
 * set in the size, the largest subtree first.
 */
export interface CompactRange {
  /** Number of leaves. */
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

/** A log after an append. */
export interface GrownLog {
  readonly range: CompactRange;
  /** Root hash of the whole tree. */
  readonly root: Uint8Array;
  /** For each new leaf its inclusion path in the new tree, lowest hash first (RFC 9162 section 2.1.3.1). */
  readonly paths: readonly (readonly Uint8Array[])[];
}

/** The compact range of the empty log. */
export const EMPTY_RANGE: CompactRange = { size: 0, hashes: [] };

/** SHA-256 of one leaf (RFC 9162 section 2.1.1). */
export function leafHash(leaf: Uint8Array): Uint8Array {
  return sha256(leafInput(leaf));
}

/** SHA-256 of a node with two children (RFC 9162 section 2.1.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(nodeInput(left, right));
}

/** SHA-256 as plain bytes: those of Node's pool would keep a whole page of it. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash("sha256", bytes, "buffer"));
}

/** Root hash of the tree with this compact range; of the empty tree, the hash of no bytes (RFC 9162 section 2.1.1). */
export function rootOf(range: CompactRange): Uint8Array {
  const [smallest, ...larger] = range.hashes.toReversed();
  if (smallest === undefined) return sha256(new Uint8Array());
  return larger.reduce((root, left) => nodeHash(left, root), smallest);
}

/**
 * A compact range from hashes that somebody else kept. Only their number and length are checked: whether they are of
 * the tree in question, {@link rootOf} shows.
 *
 * @throws CmcpError `LOG_TREE_INVALID` for another number of hashes than the size has, or one of another length
 */
export function rangeFromHashes(size: number, hashes: readonly Uint8Array[]): CompactRange {
  if (!isLogSize(size) || hashes.length !== subtreesOf(size) || hashes.some(({ length }) => length !== HASH_BYTES))
    throw new CmcpError("LOG_TREE_INVALID", "the hashes are not a compact range of a tree of this size");
  return { size, hashes: [...hashes] };
}

/** How many complete subtrees a tree of this size has in its compact range: the bits that are set. */
function subtreesOf(size: number): number {
  return size.toString(2).replaceAll("0", "").length;
}

/**
 * Appends leaves to a log.
 *
 * @param leaves hashes of {@link leafHash}, in the order of the log
 * @throws CmcpError `LOG_TREE_INVALID` when the log would pass {@link MAX_LOG_SIZE}
 */
export function appendLeaves(range: CompactRange, leaves: readonly Uint8Array[]): GrownLog {
  if (leaves.length === 0) return { range, root: rootOf(range), paths: [] };
  const size = range.size + leaves.length;
  if (size > MAX_LOG_SIZE) throw new CmcpError("LOG_TREE_INVALID", "the log has as many leaves as one can have");
  const older = range.hashes.toReversed().values();
  const paths: Uint8Array[][] = leaves.map(() => []);
  const subtrees: Uint8Array[] = [];
  // At each height: the nodes above the new leaves, behind the one older subtree that is the first one's left sibling.
  let nodes = [...leaves];
  let places = leaves.map((_, place) => place);
  // How many complete nodes of this height the log had, and has.
  let [before, after] = [range.size, size];
  for (;;) {
    if (before % 2 === 1) {
      nodes.unshift(present(older.next().value));
      places = places.map((place) => place + 1);
    }
    const first = before - (before % 2);
    if (after % 2 === 1) subtrees.push(present(nodes[after - 1 - first]));
    if (before === 0 && nodes.length === 1) break;
    for (const [leaf, place] of places.entries()) {
      const sibling = nodes[place ^ 1];
      if (sibling !== undefined) present(paths[leaf]).push(sibling);
    }
    nodes = paired(nodes);
    places = places.map((place) => place >> 1);
    before = Math.floor(before / 2);
    after = Math.floor(after / 2);
  }
  return { range: { size, hashes: subtrees.toReversed() }, root: present(nodes[0]), paths };
}

/** The next height: a node for every two, and a last one without a sibling as it is. */
function paired(nodes: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at < nodes.length; at += 2) {
    const [left, right] = [present(nodes[at]), nodes[at + 1]];
    parents.push(right === undefined ? left : nodeHash(left, right));
  }
  return parents;
}

/** @throws CmcpError `LOG_TREE_INVALID` for a hash that a range of the right form has */
function present<T>(value: T | undefined): T {
  if (value === undefined) throw new CmcpError("LOG_TREE_INVALID", "the hashes are not a compact range of the log");
  return value;
}
