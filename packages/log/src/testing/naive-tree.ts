/** RFC 9162 section 2.1, as it is written: recursive, over all leaf hashes. */
import { createHash } from "node:crypto";

type Hashes = readonly Uint8Array[];

/** The largest power of two below n. */
export function split(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

export function hashOf(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  return new Uint8Array(digest.digest());
}

/** MTH(D[n]) (section 2.1.1), of leaf hashes. */
export function naiveRoot(leaves: Hashes): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return hashOf();
  if (leaves.length === 1) return only;
  const k = split(leaves.length);
  return hashOf(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

/** PATH(m, D[n]) (section 2.1.3.1). */
export function naivePath(index: number, leaves: Hashes): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...naivePath(index, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(index - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

/** PROOF(m, D[n]) (section 2.1.4.1), for m from 1 to n. */
export function naiveConsistency(older: number, leaves: Hashes, complete = true): Uint8Array[] {
  if (older === leaves.length) return complete ? [] : [naiveRoot(leaves)];
  const k = split(leaves.length);
  return older <= k
    ? [...naiveConsistency(older, leaves.slice(0, k), complete), naiveRoot(leaves.slice(k))]
    : [...naiveConsistency(older - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}

/** Distinct leaf hashes. */
export function someLeaves(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => hashOf(Uint8Array.of(0, index & 255, index >> 8)));
}
