import { CmcpError } from "@cmcp/boundary";
import { latin1, concatBytes } from "../bytes.ts";
import { X_WING_PKCS8, X_WING_SPKI } from "../der.ts";
import { mlKem768Encapsulate, mlKem768Key, randomBytes, sha3, shake256, x25519Key } from "../platform.ts";
import { PRIVATE_KEY_BYTES, type Kem, type KemKey, type KemSecret } from "./kem.ts";

/** Bytes of a public key of ML-KEM-768. */
const ML_KEM_KEY_BYTES = 1184;
/** Bytes of a ciphertext of ML-KEM-768. */
const ML_KEM_CIPHERTEXT_BYTES = 1088;
const X25519_BYTES = 32;
const PUBLIC_KEY_BYTES = ML_KEM_KEY_BYTES + X25519_BYTES;
const CIPHERTEXT_BYTES = ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES;
/** `XWingLabel`. */
const LABEL = latin1("\\.//^\\");
/** Bytes of the seed of ML-KEM-768, of what a private key expands to. The private key of X25519 follows. */
const SEED_BYTES = 64;

/** X-Wing: ML-KEM-768 and X25519 under one hash (draft-connolly-cfrg-xwing-kem-10), as HPKE uses it (draft-ietf-hpke-pq). */
export const X_WING: Kem = {
  id: 0x647a,
  name: "x-wing",
  publicKeyBytes: PUBLIC_KEY_BYTES,
  pkcs8: X_WING_PKCS8,
  spki: X_WING_SPKI,
  encapsulatedBytes: CIPHERTEXT_BYTES,

  keyOf(privateKey: Uint8Array): KemKey {
    if (privateKey.length !== PRIVATE_KEY_BYTES)
      throw new CmcpError("USAGE", `a private key of X-Wing has 32 bytes, not ${privateKey.length}`);
    const expanded = shake256(privateKey, SEED_BYTES + X25519_BYTES);
    const lattice = mlKem768Key(expanded.subarray(0, SEED_BYTES));
    const curve = x25519Key(expanded.subarray(SEED_BYTES));
    return {
      kem: X_WING,
      publicKey: concatBytes(lattice.publicKey, curve.publicKey),
      decapsulate: (ciphertext) => {
        if (ciphertext.length !== CIPHERTEXT_BYTES) return null;
        const theirs = ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES);
        const first = lattice.decapsulate(ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES));
        const second = curve.agree(theirs);
        return first === null || second === null ? null : combine(first, second, theirs, curve.publicKey);
      },
    };
  },

  encapsulate(publicKey: Uint8Array, ephemeral: Uint8Array = randomBytes(PRIVATE_KEY_BYTES)): KemSecret {
    if (publicKey.length !== PUBLIC_KEY_BYTES)
      throw new CmcpError("USAGE", `a public key of X-Wing has ${PUBLIC_KEY_BYTES} bytes, not ${publicKey.length}`);
    const theirs = publicKey.subarray(ML_KEM_KEY_BYTES);
    const first = mlKem768Encapsulate(publicKey.subarray(0, ML_KEM_KEY_BYTES));
    const { publicKey: own, agree } = x25519Key(ephemeral);
    const second = agree(theirs);
    if (first === null || second === null) throw new CmcpError("USAGE", "no secret can be made for the X-Wing key");
    return {
      encapsulated: concatBytes(first.ciphertext, own),
      secret: combine(first.secret, second, own, theirs),
    };
  },
};

/** `Combiner`: the secrets, the sender's and the recipient's public key of X25519, and the label. */
function combine(first: Uint8Array, second: Uint8Array, sender: Uint8Array, recipient: Uint8Array): Uint8Array {
  return sha3(concatBytes(first, second, sender, recipient, LABEL));
}
