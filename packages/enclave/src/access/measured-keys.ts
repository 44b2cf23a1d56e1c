import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { fromBase64Url } from "@cmcp/boundary";

/** Ed25519 public keys that the measured configuration lists. */
export class MeasuredKeys {
  readonly #keys: ReadonlyMap<string, KeyObject>;

  /** @param keys base64url of 32 bytes */
  constructor(keys: readonly string[]) {
    this.#keys = new Map(
      keys.map((x) => [x, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })]),
    );
  }

  /** Number of keys. */
  get size(): number {
    return this.#keys.size;
  }

  /** Whether one of these keys signed a message. @param signature base64url of 64 bytes */
  hasSigned(key: string, message: Uint8Array, signature: string): boolean {
    const publicKey = this.#keys.get(key);
    return publicKey !== undefined && verify(null, message, publicKey, fromBase64Url(signature) ?? new Uint8Array());
  }
}
