import { CmcpError } from "@cmcp/boundary";
import { aesGcmOpen, aesGcmSeal } from "../platform.ts";

/** Bytes of a nonce of AES-GCM. */
export const NONCE_BYTES = 12;

/**
 * Messages of one key, in order: the nonce of each is the base nonce with the message's number (RFC 9180 section 5.2).
 * A message that does not open leaves the number as it is.
 */
export class AeadSequence {
  readonly #key: Uint8Array;
  readonly #baseNonce: Uint8Array;
  #number: number;

  /** @param number that of the first message */
  constructor(key: Uint8Array, baseNonce: Uint8Array, number = 0) {
    this.#key = key;
    this.#baseNonce = baseNonce;
    this.#number = number;
  }

  /** @throws CmcpError `USAGE` after 2^53 - 1 messages */
  seal(plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
    const sealed = aesGcmSeal({ key: this.#key, nonce: this.#nonce(), aad }, plaintext);
    this.#number += 1;
    return sealed;
  }

  /**
   * The plaintext; `null` where this is not the next message.
   *
   * @throws CmcpError `USAGE` after 2^53 - 1 messages
   */
  open(ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null {
    const opened = aesGcmOpen({ key: this.#key, nonce: this.#nonce(), aad }, ciphertext);
    if (opened !== null) this.#number += 1;
    return opened;
  }

  #nonce(): Uint8Array {
    if (this.#number === Number.MAX_SAFE_INTEGER) throw new CmcpError("USAGE", "the key has no number left");
    const nonce = Uint8Array.from(this.#baseNonce);
    const view = new DataView(nonce.buffer);
    const [high, low] = [NONCE_BYTES - 8, NONCE_BYTES - 4];
    view.setUint32(high, view.getUint32(high) ^ Math.floor(this.#number / 2 ** 32));
    view.setUint32(low, view.getUint32(low) ^ (this.#number % 2 ** 32));
    return nonce;
  }
}
