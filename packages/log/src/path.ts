/**
 * Merkle trees as in RFC 9162 section 2.1: what is hashed, and where a leaf's path leads. The hash itself is the
 * caller's.
 */

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;

/** Most leaves of a log; an index fits six bytes on the wire and a double. */
export const MAX_LOG_SIZE = 2 ** 48;

const LEAF = 0x00;
const NODE = 0x01;

/** What a leaf's hash is made over. */
export function leafInput(leaf: Uint8Array): Uint8Array<ArrayBuffer> {
  const input = new Uint8Array(1 + leaf.length);
  input[0] = LEAF;
  input.set(leaf, 1);
  return input;
}

/** What the hash of a node is made over, from those of its two children. */
export function nodeInput(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  const input = new Uint8Array(1 + left.length + right.length);
  input[0] = NODE;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return input;
}

/** Whether a number can be the size of a log: an integer from 0 to {@link MAX_LOG_SIZE}. */
export function isLogSize(size: number): boolean {
  return Number.isInteger(size) && size >= 0 && size <= MAX_LOG_SIZE;
}

/** On which side a sibling hash goes when a node is hashed. */
export type SiblingSide = "left" | "right";

/**
 * The sides of the sibling hashes in a leaf's inclusion path, lowest first; `undefined` if a path of this length does
 * not fit the leaf's index (RFC 9162 section 2.1.3.2).
 *
 * @param index the leaf's place from 0
 * @param size number of leaves, from 1 to {@link MAX_LOG_SIZE}
 * @param length number of hashes in the path
 */
export function siblingSides(index: number, size: number, length: number): SiblingSide[] | undefined {
  if (!isLogSize(index) || !isLogSize(size) || index >= size) return undefined;
  const sides: SiblingSide[] = [];
  let position = index;
  let last = size - 1;
  while (sides.length < length) {
    if (last === 0) return undefined;
    if (position % 2 === 1 || position === last) {
      sides.push("left");
      // A subtree with nothing to its right goes up as it is.
      while (position % 2 === 0 && position !== 0) {
        position /= 2;
        last = half(last);
      }
    } else {
      sides.push("right");
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 ? sides : undefined;
}

/** Shifts of JavaScript are of 32 bits, and a log's size has up to 49. */
const half = (number: number): number => Math.floor(number / 2);
