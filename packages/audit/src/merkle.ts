import { hash } from "node:crypto";
import { leafInput, nodeInput, sidesOf } from "./merkle-path.ts";

/** SHA-256 of one leaf of a Merkle tree (RFC 9162 section 2.1.1), 32 bytes. */
export function leafHash(leaf: Uint8Array): Buffer {
  return hash("sha256", leafInput(leaf), "buffer");
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash("sha256", nodeInput(left, right), "buffer");
}

/** A tree's head, and for each leaf the hashes that lead from it to there, lowest first (RFC 9162 section 2.1.3). */
export interface Tree {
  readonly root: Buffer;
  readonly paths: readonly (readonly Buffer[])[];
}

/** The tree of at least one leaf hash, in this order (RFC 9162 sections 2.1.1 and 2.1.3.1). */
export function treeOf(leaves: readonly Buffer[]): Tree {
  const paths: Buffer[][] = leaves.map(() => []);
  let level = leaves;
  for (let height = 0; level.length > 1; height += 1) {
    for (const [leaf, path] of paths.entries()) {
      const sibling = level[(leaf >> height) ^ 1];
      if (sibling !== undefined) path.push(sibling);
    }
    level = paired(level);
  }
  const [root] = level;
  if (root === undefined) throw new TypeError("a tree has a leaf");
  return { root, paths };
}

/** The next level of a tree: a node for every two, and a last one that has no other goes up as it is. */
function paired(level: readonly Buffer[]): Buffer[] {
  return Array.from({ length: Math.ceil(level.length / 2) }, (_, pair) => {
    const [left, right] = [level[2 * pair], level[2 * pair + 1]];
    if (left === undefined) throw new TypeError("a level has a node here");
    return right === undefined ? left : nodeHash(left, right);
  });
}

/**
 * The head that a leaf's path leads to; `undefined` where the path is not as long as the leaf's place has it (RFC 9162 section 2.1.3.2).
 *
 * @param index the leaf's place from 0
 * @param size number of leaves, at least 1
 */
export function rootOf(leaf: Buffer, index: number, size: number, path: readonly Uint8Array[]): Buffer | undefined {
  return sidesOf(index, size, path.length)?.reduce((root, side, at) => {
    const sibling = path[at] ?? new Uint8Array();
    return side === "left" ? nodeHash(sibling, root) : nodeHash(root, sibling);
  }, leaf);
}
