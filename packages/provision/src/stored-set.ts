import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url, untrusted } from "@cmcp/boundary";
import { aesGcmOpen, aesGcmSeal, hkdfSha256, randomBytes, type AeadUse } from "@cmcp/seal";
import { buildProvision, parseProvision, STORAGE_KEY_BYTES, type Provision } from "./message.ts";

/** Bytes of a nonce. */
export const NONCE_BYTES = 12;
/** `info` of the key is this and the log's origin. */
export const STORAGE_INFO = "cmcp-storage-v1|provision|";
const KEY_BYTES = 32;

/** A set as a record of the log has it: AES-256-GCM. */
export interface StoredSet {
  /** 12 bytes, base64url. */
  readonly nonce: string;
  /** Ciphertext and tag, base64url. */
  readonly ciphertext: string;
}

/** Where a set is stored. */
export interface StoredPlace {
  /** Name of the log. */
  readonly origin: string;
  /** `sequence` of the record. */
  readonly version: number;
}

/**
 * Encrypts a set for one record of one log, under a random nonce.
 *
 * @param storageKey 32 bytes, base64url
 * @throws CmcpError `CONFIG_INVALID` for a key or a set that is not valid
 */
export function sealStoredSet(storageKey: string, place: StoredPlace, set: Provision): StoredSet {
  const nonce = randomBytes(NONCE_BYTES);
  const ciphertext = aesGcmSeal(aeadUse(storageKey, place, nonce), buildProvision(set));
  return { nonce: toBase64Url(nonce), ciphertext: toBase64Url(ciphertext) };
}

/**
 * Decrypts a set.
 *
 * @param storageKey 32 bytes, base64url
 * @throws CmcpError `STORED_SET_NOT_OPENED` where it was not encrypted under this key, for this place;
 * `CONFIG_INVALID` for a key that is not valid
 */
export function openStoredSet(storageKey: string, place: StoredPlace, { nonce, ciphertext }: StoredSet): Provision {
  const [iv, sealed] = [fromBase64Url(nonce), fromBase64Url(ciphertext)];
  const opened =
    iv?.length !== NONCE_BYTES || sealed === undefined ? null : aesGcmOpen(aeadUse(storageKey, place, iv), sealed);
  if (opened === null)
    throw new CmcpError(
      "STORED_SET_NOT_OPENED",
      "the storage key does not open the stored set, or it is of another place",
    );
  return parseProvision(untrusted(opened));
}

/** HKDF-SHA-256 (RFC 5869) without salt. `aad` is canonical JSON, so that no member can be read as part of another. */
function aeadUse(storageKey: string, { origin, version }: StoredPlace, nonce: Uint8Array): AeadUse {
  const key = fromBase64Url(storageKey);
  if (key?.length !== STORAGE_KEY_BYTES)
    throw new CmcpError("CONFIG_INVALID", `the storage key is not ${STORAGE_KEY_BYTES} bytes in base64url`);
  return {
    key: hkdfSha256(key, new TextEncoder().encode(`${STORAGE_INFO}${origin}`), KEY_BYTES),
    nonce,
    aad: canonicalBytes({ origin, principal: "", server: "", version }),
  };
}
