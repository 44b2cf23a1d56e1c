import { CmcpError } from "@cmcp/boundary";
import { latin1, concatBytes, EMPTY, uint16 } from "../bytes.ts";
import { X25519_PKCS8, X25519_SPKI } from "../der.ts";
import { randomBytes, x25519Key } from "../platform.ts";
import { HASH_BYTES, LabeledHkdf } from "./hkdf.ts";
import { PRIVATE_KEY_BYTES, type Kem, type KemKey, type KemSecret } from "./kem.ts";

/** RFC 9180 section 7.1. */
const KEM_ID = 0x0020;
/** Bytes of a public key (RFC 7748), and so of an encapsulated key. */
const PUBLIC_KEY_BYTES = 32;
const HKDF = new LabeledHkdf(concatBytes(latin1("KEM"), uint16(KEM_ID)));

/** DHKEM(X25519, HKDF-SHA256) of RFC 9180 section 4.1. */
export const X25519: Kem = {
  id: KEM_ID,
  name: "x25519",
  publicKeyBytes: PUBLIC_KEY_BYTES,
  pkcs8: X25519_PKCS8,
  spki: X25519_SPKI,
  encapsulatedBytes: PUBLIC_KEY_BYTES,

  keyOf(privateKey: Uint8Array): KemKey {
    if (privateKey.length !== PRIVATE_KEY_BYTES)
      throw new CmcpError("USAGE", `a private key of X25519 has 32 bytes, not ${privateKey.length}`);
    const { publicKey, agree } = x25519Key(privateKey);
    return {
      kem: X25519,
      publicKey,
      decapsulate: (encapsulated) => {
        const shared = encapsulated.length === PUBLIC_KEY_BYTES ? agree(encapsulated) : null;
        return shared === null ? null : secretOf(shared, encapsulated, publicKey);
      },
    };
  },

  encapsulate(publicKey: Uint8Array, ephemeral: Uint8Array = randomBytes(PRIVATE_KEY_BYTES)): KemSecret {
    const { publicKey: encapsulated, agree } = x25519Key(ephemeral);
    const shared = agree(publicKey);
    if (shared === null) throw new CmcpError("USAGE", "no secret can be agreed on with the X25519 key");
    return { encapsulated, secret: secretOf(shared, encapsulated, publicKey) };
  },
};

/** `ExtractAndExpand`. */
function secretOf(shared: Uint8Array, encapsulated: Uint8Array, recipient: Uint8Array): Uint8Array {
  const prk = HKDF.extract(EMPTY, "eae_prk", shared);
  return HKDF.expand(prk, "shared_secret", concatBytes(encapsulated, recipient), HASH_BYTES);
}
