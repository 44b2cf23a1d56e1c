/** Bytes with the `at`-th bit the other way round. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  const bit = copy.length === 0 ? 0 : at % (copy.length * 8);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** The first `at % length` bytes. */
export function truncated(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.subarray(0, bytes.length === 0 ? 0 : at % bytes.length);
}

/** The beginning of one and the end of another. */
export function spliced(first: Uint8Array, second: Uint8Array, at: number): Uint8Array {
  const cut = at % (Math.min(first.length, second.length) + 1);
  return Buffer.concat([first.subarray(0, cut), second.subarray(cut)]);
}

/** The list with one item moved, doubled, left out or put in another's place. */
export function rearranged<T>(items: readonly T[], how: "drop" | "twice" | "reorder", at: number): T[] {
  if (items.length === 0) return [];
  const index = at % items.length;
  const item = items.slice(index, index + 1);
  const rest = [...items.slice(0, index), ...items.slice(index + 1)];
  if (how === "drop") return rest;
  if (how === "twice") return [...items.slice(0, index), ...item, ...items.slice(index)];
  return [...rest.slice(0, (index + 1) % items.length), ...item, ...rest.slice((index + 1) % items.length)];
}
