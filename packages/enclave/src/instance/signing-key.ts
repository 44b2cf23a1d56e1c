import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { type SigningJwk } from "@cmcp/appraise/evidence";
import { jwkThumbprint } from "@cmcp/attestation";

/** The instance's Ed25519 signing key. It is created after the launch document is accepted and never leaves this process. */
export class SigningKey {
  readonly #privateKey: KeyObject;
  readonly jwk: SigningJwk;
  /** RFC 7638 thumbprint of {@link jwk}, 32 bytes. */
  readonly thumbprint: Uint8Array;

  constructor() {
    const pair = generateKeyPairSync("ed25519");
    const exported = pair.publicKey.export({ format: "jwk" });
    if (exported.x === undefined) throw new Error("an Ed25519 public key has no x");
    this.#privateKey = pair.privateKey;
    this.jwk = { kty: "OKP", crv: "Ed25519", x: exported.x };
    this.thumbprint = jwkThumbprint(this.jwk);
  }

  /** Ed25519 signature (RFC 8032), 64 bytes. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#privateKey);
  }
}
