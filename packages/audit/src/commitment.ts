import { createHash, createHmac, type Hash, type KeyObject } from "node:crypto";
import { commitmentPrefix, type CommittedField } from "./committed-field.ts";

/** Bytes of the key that a session's salts come from. */
export const SESSION_KEY_BYTES = 32;

/**
 * The salt of one field of one call: HKDF-Expand with SHA-256 (RFC 5869, section 2.3) under the session's key. The key
 * is random, so there is nothing to extract (section 3.3). `info` is the call's id, a UUID, which has one length, and then the field.
 *
 * @param sessionKey {@link SESSION_KEY_BYTES} bytes that only the enclave, and whom it discloses them to, have
 * @returns 32 bytes, the one block that the hash makes
 */
export function saltOf(sessionKey: KeyObject, callId: string, field: CommittedField): Uint8Array {
  return createHmac("sha256", sessionKey).update(`${callId}${field}\u0001`).digest();
}

/** A commitment's hash, which the committed text is then added to in UTF-8. */
export function beginCommitment(field: CommittedField, salt: Uint8Array): Hash {
  return createHash("sha256").update(commitmentPrefix(field)).update(salt);
}

/** `sha256:` and lowercase hex of the commitment to a text. */
export function commitmentTo(field: CommittedField, salt: Uint8Array, text: string): string {
  return `sha256:${beginCommitment(field, salt).update(text).digest("hex")}`;
}
