import { generateKeyPairSync, sign } from "node:crypto";
import { fromBase64Url } from "@cmcp/boundary";
import { cosignedMessage, formatCosignature } from "../cosignature.ts";
import { formatVerifierKey, SIGNATURE_TYPE, type VerifierKey } from "../key.ts";
import { verifierKey } from "../verify.ts";

/** A witness's key pair. */
export class SigningWitness {
  readonly name: string;
  readonly key: VerifierKey;
  readonly #privateKey;

  /** @param name in the policy */
  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.name = name;
    this.#privateKey = privateKey;
    const bytes = fromBase64Url(publicKey.export({ format: "jwk" }).x ?? "") ?? new Uint8Array();
    this.key = verifierKey(`witness.example/${name}`, SIGNATURE_TYPE.cosignature, bytes);
  }

  /** Its line of a witness policy. */
  get line(): string {
    return `witness ${this.name} ${formatVerifierKey(this.key)}\n`;
  }

  cosign(text: string, time: number): string {
    return formatCosignature(this.key, { time, signature: sign(null, cosignedMessage(text, time), this.#privateKey) });
  }
}
