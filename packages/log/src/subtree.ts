/** Which subtrees a proof is made of, as ranges of leaves (RFC 9162 sections 2.1.3.1 and 2.1.4.1). */

/** The leaves from `start` up to, and without, `end`. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** The subtrees whose hashes are a leaf's inclusion path, lowest first. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.toReversed();
}

/**
 * The subtrees whose hashes are a consistency proof, in its order.
 *
 * @param older from 1, at most `newer`
 */
export function consistencyRanges(older: number, newer: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [start, end] = [0, newer];
  while (older < end) {
    const middle = start + largestPowerBelow(end - start);
    if (older <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // The older tree itself is known to whoever checks the proof.
  if (start > 0) ranges.push({ start, end });
  return ranges.toReversed();
}

/** A complete subtree: the leaves from `index · 2^height`, as many as `2^height`. */
export interface CompleteSubtree {
  readonly height: number;
  readonly index: number;
}

/** The complete subtrees of a range as a proof has it, the largest first. */
export function completeSubtrees({ start, end }: LeafRange): CompleteSubtree[] {
  const subtrees: CompleteSubtree[] = [];
  let at = start;
  for (let height = heightOf(end - start); at < end; height -= 1) {
    const width = 2 ** height;
    if (at + width > end) continue;
    subtrees.push({ height, index: at / width });
    at += width;
  }
  return subtrees;
}

/** The largest power of two below a number of at least 2; shifts of JavaScript are of 32 bits. */
function largestPowerBelow(number: number): number {
  return 2 ** heightOf(number - 1);
}

/** The exponent of the largest power of two that is not above a number. */
function heightOf(number: number): number {
  return number.toString(2).length - 1;
}
