/** Verifications that run at a time: WebCrypto has threads of its own. */
const AT_ONCE = 16;

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** Runs a check for the copy of these bytes with each single bit of the region flipped; first byte and the one behind the last. */
export async function everyBit(
  bytes: Uint8Array,
  [first, end]: readonly [number, number],
  check: (changed: Uint8Array<ArrayBuffer>, bit: number) => Promise<void>,
): Promise<void> {
  for (let bit = first * 8; bit < end * 8; bit += AT_ONCE) {
    const bits = Array.from({ length: Math.min(AT_ONCE, end * 8 - bit) }, (_, index) => bit + index);
    await Promise.all(bits.map(async (one) => await check(flipBit(bytes, one), one)));
  }
}
