/** Merkle trees as in RFC 9162 section 2.1, over SHA-256. */
import { hash } from "node:crypto";

const LEAF = 0x00;
const NODE = 0x01;

function digest(prefix: number, ...parts: readonly Uint8Array[]): Buffer {
  return hash("sha256", Buffer.concat([Uint8Array.of(prefix), ...parts]), "buffer");
}

/** Hash of one leaf, 32 bytes. */
export function leafHash(leaf: Uint8Array): Buffer {
  return digest(LEAF, leaf);
}

/** A tree's head, and for each leaf the hashes that lead from it to there, lowest first (RFC 9162 section 2.1.3). */
export interface Tree {
  readonly root: Buffer;
  readonly paths: readonly (readonly Buffer[])[];
}

/** The tree of at least one leaf hash, in this order (RFC 9162 sections 2.1.1 and 2.1.3.1). */
export function treeOf(leaves: readonly Buffer[]): Tree {
  const [only] = leaves;
  if (only === undefined) throw new TypeError("a tree has a leaf");
  if (leaves.length === 1) return { root: only, paths: [[]] };
  // The left part is the largest power of two that leaves something to the right.
  const split = 2 ** (31 - Math.clz32(leaves.length - 1));
  const left = treeOf(leaves.slice(0, split));
  const right = treeOf(leaves.slice(split));
  return { root: digest(NODE, left.root, right.root), paths: [...left.paths.map((path) => [...path, right.root]), ...right.paths.map((path) => [...path, left.root])] };
}

/**
 * The head that a leaf's path leads to; `undefined` where the path is not as long as the leaf's place has it (RFC 9162 section 2.1.3.2).
 *
 * @param index the leaf's place from 0
 * @param size number of leaves, at least 1
 */
export function rootOf(leaf: Buffer, index: number, size: number, path: readonly Uint8Array[]): Buffer | undefined {
  if (index >= size) return undefined;
  let place = index;
  let last = size - 1;
  let root = leaf;
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      root = digest(NODE, sibling, root);
      // A subtree with nothing to its right goes up as it is.
      while (place % 2 === 0 && place !== 0) {
        place >>= 1;
        last >>= 1;
      }
    } else {
      root = digest(NODE, root, sibling);
    }
    place >>= 1;
    last >>= 1;
  }
  return last === 0 ? root : undefined;
}
