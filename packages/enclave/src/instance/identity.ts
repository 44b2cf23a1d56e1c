import { createPrivateKey, createPublicKey, randomBytes, sign, type KeyObject } from "node:crypto";
import { seal, unseal, type Sealing } from "@cmcp/attestation";
import { fromBase64Url } from "@cmcp/boundary";

/** The purpose that the sealed seed is bound to. */
const PURPOSE = "cmcp-identity-v1";
const SEED_BYTES = 32;
/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * The gateway's identity: an Ed25519 key that stays the same over restarts, while image, launch document and machine stay the same. It
 * signs only the key of each instance. A relying party that trusts one instance can so recognize the next without appraising its evidence.
 * Each instance has its own keys, chains and counters.
 */
export class Identity {
  readonly #privateKey: KeyObject;
  /** The public key, base64url of 32 bytes. */
  readonly publicKey: string;
  /** The sealed seed, which the host stores. */
  readonly sealed: Uint8Array;
  /** Whether an earlier instance had this identity. */
  readonly continued: boolean;

  constructor(seed: Uint8Array, sealed: Uint8Array, continued: boolean) {
    this.#privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
    this.publicKey = createPublicKey(this.#privateKey).export({ format: "jwk" }).x ?? "";
    this.sealed = sealed;
    this.continued = continued;
  }

  /** Ed25519 signature, 64 bytes, over `cmcp-identity-v1|` and the 32-byte thumbprint of an instance's key. */
  signInstanceKey(thumbprint: Uint8Array): Uint8Array {
    return sign(null, Buffer.concat([Buffer.from(`${PURPOSE}|`), thumbprint]), this.#privateKey);
  }
}

/**
 * Unseals the identity of an earlier instance, or creates one. `null` if the platform cannot seal secrets to its measurement, because a key
 * that others can read is not an identity.
 *
 * @param launchDigest SHA-256 of the launch document, 32 bytes
 * @param earlier returns the sealed blobs that the log has, latest first, base64url. If the host hides the right one, the identity is lost
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` if the platform does not answer
 */
export async function openIdentity(
  sealing: Sealing,
  launchDigest: Uint8Array,
  earlier: () => Promise<readonly string[]>,
): Promise<Identity | null> {
  if (sealing.kind === "none") return null;
  const binding = { launchDigest, purpose: PURPOSE };
  for (const written of await earlier()) {
    const blob = fromBase64Url(written);
    if (blob === undefined || blob.length === 0) continue;
    const seed = await unseal(sealing, binding, blob);
    if (seed?.length === SEED_BYTES) return new Identity(seed, blob, true);
  }
  const seed = new Uint8Array(randomBytes(SEED_BYTES));
  return new Identity(seed, await seal(sealing, binding, seed), false);
}
