import { createHash } from "node:crypto";
import { toHex } from "@cmcp/boundary";

/** The hashes that launch measurements use: SHA-384 by SEV-SNP and TDX, both in the banks of a TPM. */
export type HashAlgorithm = "sha256" | "sha384";

/** Bytes of a digest. */
export const DIGEST_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48 };

/** Digest of the concatenation of `parts`. */
export function digestOf(algorithm: HashAlgorithm, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** A value that can only be extended: a PCR of one bank (TCG PC Client PFP 2.3.2) or an RTMR. It starts as zeros. */
export class MeasurementRegister {
  readonly #algorithm: HashAlgorithm;
  #value: Uint8Array;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
    this.#value = new Uint8Array(DIGEST_BYTES[algorithm]);
  }

  /** New value = H(old value ‖ digest). */
  extend(digest: Uint8Array): this {
    this.#value = digestOf(this.#algorithm, this.#value, digest);
    return this;
  }

  /** Lowercase hex. */
  get hex(): string {
    return toHex(this.#value);
  }
}

/** The value of a register after extending it with each digest in turn. */
export function extendAll(algorithm: HashAlgorithm, digests: readonly Uint8Array[]): string {
  const register = new MeasurementRegister(algorithm);
  for (const digest of digests) register.extend(digest);
  return register.hex;
}
