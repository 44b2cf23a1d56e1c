/** AlgorithmIdentifier of rsaEncryption (RFC 3279 section 2.3.1). */
const RSA_ENCRYPTION = Uint8Array.of(
  0x30,
  0x0d,
  0x06,
  0x09,
  0x2a,
  0x86,
  0x48,
  0x86,
  0xf7,
  0x0d,
  0x01,
  0x01,
  0x01,
  0x05,
  0x00,
);

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

/** SubjectPublicKeyInfo of an RSA key (RFC 3279 section 2.3.1), from its numbers in big-endian bytes. */
export function rsaKeyInfo(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const key = derSequence(derInteger(modulus), derInteger(exponent));
  return derSequence(RSA_ENCRYPTION, derElement(0x03, Uint8Array.of(0), key));
}
