/** Keys and notes, with the hashes and signatures of Node. A browser does the same with what `format.ts` gives it. */
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { isKeyName, keyIdInput, keyIdOf, parseVerifierKey, type SignatureType, type VerifierKey } from "./key.ts";
import { signaturesBy, type Note } from "./note.ts";
import { sha256 } from "./tree.ts";

/**
 * The verifier key of a name and a public key.
 *
 * @param publicKey 32 bytes, Ed25519
 * @throws CmcpError `VERIFIER_KEY_INVALID` for what cannot name a key
 */
export function verifierKey(name: string, type: SignatureType, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name))
    throw new CmcpError("VERIFIER_KEY_INVALID", "not a verifier key: its name has spaces or a plus");
  return { name, id: keyIdOf(sha256(keyIdInput(name, type, publicKey))), type, publicKey };
}

/**
 * Reads a verifier key, and holds its id to name and key.
 *
 * @throws CmcpError `VERIFIER_KEY_INVALID`, as {@link parseVerifierKey}, and for the id of another key
 */
export function readVerifierKey(text: string): VerifierKey {
  const key = parseVerifierKey(text);
  if (verifierKey(key.name, key.type, key.publicKey).id !== key.id)
    throw new CmcpError("VERIFIER_KEY_INVALID", "not a verifier key: its id is not that of its name and public key");
  return key;
}

/** Whether a key of type Ed25519 signed a note: it has a signature line of this key, and each such line verifies. */
export function isSignedBy(note: Note, key: VerifierKey): boolean {
  const signatures = signaturesBy(note, key);
  const publicKey = publicKeyOf(key);
  const text = new TextEncoder().encode(note.text);
  return signatures.length > 0 && signatures.every((signature) => verify(null, text, publicKey, signature));
}

/** Node's form of a verifier key. */
export function publicKeyOf(key: VerifierKey): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: toBase64Url(key.publicKey) }, format: "jwk" });
}
