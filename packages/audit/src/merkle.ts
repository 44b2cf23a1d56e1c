/**
 * Hashes are held as the text that paths carry, base64url of 32 bytes: a hash as bytes takes Node twice as long to
 * make.
 */
import { hash } from "node:crypto";
import { fromBase64Url } from "@cmcp/boundary";
import { leafInput, nodeInput, siblingSides } from "@cmcp/log/format";

/** Bytes of a hash. */
const HASH_BYTES = 32;

/** Whether a text is a hash, written in the one way there is. */
export function isHash(text: string): boolean {
  return fromBase64Url(text)?.length === HASH_BYTES;
}

/** SHA-256 of one leaf of a Merkle tree (RFC 9162 section 2.1.1). */
export function leafHash(leaf: Uint8Array): string {
  return hash("sha256", leafInput(leaf), "base64url");
}

/** What the next node is hashed over; every node writes all of both hashes. */
const nodeBytes = Buffer.from(nodeInput(new Uint8Array(HASH_BYTES), new Uint8Array(HASH_BYTES)));

function nodeHash(left: string, right: string): string {
  const written = nodeBytes.write(left, 1, "base64url") + nodeBytes.write(right, 1 + HASH_BYTES, "base64url");
  if (written !== 2 * HASH_BYTES) throw new TypeError("a node is made of two hashes");
  return hash("sha256", nodeBytes, "base64url");
}

/** A tree's head, and for each leaf the hashes that lead from it to there, lowest first (RFC 9162 section 2.1.3). */
export interface MerkleTree {
  readonly root: string;
  readonly paths: readonly (readonly string[])[];
}

/** The tree of at least one leaf hash, in this order (RFC 9162 sections 2.1.1 and 2.1.3.1). */
export function merkleTree(leaves: readonly string[]): MerkleTree {
  const paths: string[][] = leaves.map(() => []);
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
function paired(level: readonly string[]): string[] {
  const next: string[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at], level[at + 1]];
    if (left === undefined) throw new TypeError("a level has a node here");
    next.push(right === undefined ? left : nodeHash(left, right));
  }
  return next;
}

/**
 * The head that a leaf's path leads to; `undefined` where the path is not as long as the leaf's place has it (RFC 9162
 * section 2.1.3.2).
 *
 * @param index the leaf's place from 0
 * @param size number of leaves, at least 1
 * @throws TypeError for a path that has something else than hashes
 */
export function rootFromProof(leaf: string, index: number, size: number, path: readonly string[]): string | undefined {
  return siblingSides(index, size, path.length)?.reduce((root, side, at) => {
    const sibling = path[at] ?? "";
    return side === "left" ? nodeHash(sibling, root) : nodeHash(root, sibling);
  }, leaf);
}
