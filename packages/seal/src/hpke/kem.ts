/** A key that can take a secret from what was made for its public key. The private part is not shown. */
export interface KemKey {
  readonly kem: Kem;
  /** As many bytes as {@link Kem.publicKeyBytes} says. */
  readonly publicKey: Uint8Array;
  /** The secret of an encapsulated key; `null` for bytes that are none. What is of another key can give a secret, a wrong one. */
  decapsulate(encapsulated: Uint8Array): Uint8Array | null;
}

/** A fresh secret of 32 bytes, and the encapsulated key (`enc`) that the holder of the private key takes it from. */
export interface KemSecret {
  readonly secret: Uint8Array;
  readonly encapsulated: Uint8Array;
}

/** A key encapsulation mechanism (RFC 9180 section 4). */
export interface Kem {
  /** `kem_id` of the HPKE registry. */
  readonly id: number;
  readonly name: "x-wing" | "x25519";
  readonly publicKeyBytes: number;
  /** What stands before a private key in its PKCS #8 document. */
  readonly pkcs8: Uint8Array;
  /** What stands before a public key in its SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** Bytes of an encapsulated key. */
  readonly encapsulatedBytes: number;
  /**
   * The key of a private key of 32 bytes.
   *
   * @throws CmcpError `USAGE` for another length, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm
   */
  keyOf(privateKey: Uint8Array): KemKey;
  /**
   * A secret for the holder of a public key.
   *
   * @param ephemeral the sender's private key of X25519, 32 bytes, used once and forgotten; a fresh one where it is left out
   * @throws CmcpError `USAGE` for what is no public key, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm
   */
  encapsulate(publicKey: Uint8Array, ephemeral?: Uint8Array): KemSecret;
}

/** Bytes of a private key, of either mechanism. */
export const PRIVATE_KEY_BYTES = 32;
