import { derElement, derInteger, derSequence } from "@cmcp/boundary";

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

/** SubjectPublicKeyInfo of an RSA key (RFC 3279 section 2.3.1), from its numbers in big-endian bytes. */
export function rsaKeyInfo(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const key = derSequence(derInteger(modulus), derInteger(exponent));
  return derSequence(RSA_ENCRYPTION, derElement(0x03, Uint8Array.of(0), key));
}
