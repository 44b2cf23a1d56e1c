/** One DER element of a tag and its content, given in parts (X.690 section 8.1). */
export function derElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  const element = new Uint8Array(header.length + length);
  element.set(header);
  let offset = header.length;
  for (const part of parts) {
    element.set(part, offset);
    offset += part.length;
  }
  return element;
}

export function derSequence(...parts: readonly Uint8Array[]): Uint8Array {
  return derElement(0x30, ...parts);
}

/** A non-negative INTEGER from big-endian bytes: shortest, with a zero before a set top bit (X.690 section 8.3). */
export function derInteger(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const magnitude = first === -1 ? Uint8Array.of(0) : bytes.subarray(first);
  return derElement(0x02, (magnitude[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(), magnitude);
}
