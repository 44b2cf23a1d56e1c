/** Keys and notes, with the hashes and signatures of Node. A browser does the same with what `format.ts` gives it. */
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { cosignaturesBy, cosignedMessage } from "./cosignature.ts";
import { isKeyName, keyIdInput, keyIdOf, parseVerifierKey, type SignatureType, type VerifierKey } from "./key.ts";
import { signaturesBy, type Note } from "./note.ts";
import { sha256 } from "./tree.ts";
import { parseWitnessPolicy, type Witness, type WitnessPolicy } from "./witness-policy.ts";

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

/**
 * When a witness cosigned a note, in seconds since 1970: the latest time, if it did so more than once. `undefined` if it
 * did not, or if one of its lines does not verify.
 *
 * @param key of the type of cosignatures
 */
export function cosignedAt(note: Note, key: VerifierKey): number | undefined {
  const cosignatures = cosignaturesBy(note, key);
  const publicKey = publicKeyOf(key);
  const all = cosignatures.every(({ time, signature }) =>
    verify(null, cosignedMessage(note.text, time), publicKey, signature),
  );
  return all && cosignatures.length > 0 ? Math.max(...cosignatures.map(({ time }) => time)) : undefined;
}

/** When each witness cosigned a note, by its name in the policy; only those whose cosignatures verify. */
export function cosignedTimes(note: Note, witnesses: readonly Witness[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name, key } of witnesses) {
    const time = cosignedAt(note, key);
    if (time !== undefined) times.set(name, time);
  }
  return times;
}

/**
 * Reads a policy, and holds the ids of its keys to names and keys.
 *
 * @throws as {@link parseWitnessPolicy}
 */
export function readWitnessPolicy(text: string): WitnessPolicy {
  return parseWitnessPolicy(text, readVerifierKey);
}

/** Node's form of a verifier key. */
export function publicKeyOf(key: VerifierKey): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: toBase64Url(key.publicKey) }, format: "jwk" });
}
