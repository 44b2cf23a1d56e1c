/**
 * What the package needs of the platform's cryptography. No other source of the package imports from Node, so that a
 * browser's build replaces this module alone. All of it is synchronous.
 */
import * as crypto from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { ML_KEM_768_PKCS8, ML_KEM_768_SPKI, X25519_PKCS8, X25519_SPKI } from "./der.ts";

/** Bytes that a ciphertext of AES-GCM is longer than its plaintext. */
export const TAG_BYTES = 16;

/** Bytes of the seed of an ML-KEM-768 key, `d` and `z` of FIPS 203. */
const ML_KEM_SEED_BYTES = 64;
const ML_KEM_CIPHERTEXT_BYTES = 1_088;

/** A private key of X25519 (RFC 7748). */
export interface AgreementKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The secret that is shared with a public key of 32 bytes; `null` where it is all zeros or the key is malformed. */
  readonly agree: (publicKey: Uint8Array) => Uint8Array | null;
}

/** A private key of ML-KEM-768 (FIPS 203). */
export interface DecapsulationKey {
  /** 1184 bytes. */
  readonly publicKey: Uint8Array;
  /** The secret of a ciphertext of 1088 bytes, a random one for a ciphertext of another key; `null` for one of another length. */
  readonly decapsulate: (ciphertext: Uint8Array) => Uint8Array | null;
}

/** Bytes that nobody can guess. */
export function randomBytes(length: number): Uint8Array {
  return plain(crypto.randomBytes(length));
}

/** HMAC-SHA-256 (RFC 2104) of the parts, one after the other: 32 bytes. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const hmac = crypto.createHmac("sha256", secretKey(key));
  for (const part of parts) hmac.update(part);
  return plain(hmac.digest());
}

/** SHA3-256 (FIPS 202): 32 bytes. */
export function sha3(bytes: Uint8Array): Uint8Array {
  return plain(crypto.createHash("sha3-256").update(bytes).digest());
}

/** SHAKE256 (FIPS 202), `length` bytes. */
export function shake256(bytes: Uint8Array, length: number): Uint8Array {
  return plain(crypto.createHash("shake256", { outputLength: length }).update(bytes).digest());
}

/** What AES-GCM is used with once: a key of 16 or 32 bytes, a nonce of 12, and what is authenticated beside. */
export interface AeadUse {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
}

/** AES-GCM (NIST SP 800-38D): ciphertext and tag. */
export function aesGcmSeal({ key, nonce, aad }: AeadUse, plaintext: Uint8Array): Uint8Array {
  const cipher = crypto.createCipheriv(cipherOf(key), secretKey(key), nonce).setAAD(aad);
  return plain(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** The plaintext of {@link aesGcmSeal}; `null` where the ciphertext is not of this key, nonce and `aad`. */
export function aesGcmOpen({ key, nonce, aad }: AeadUse, ciphertext: Uint8Array): Uint8Array | null {
  if (ciphertext.length < TAG_BYTES) return null;
  const decipher = crypto.createDecipheriv(cipherOf(key), secretKey(key), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  const plaintext = decipher.update(ciphertext.subarray(0, -TAG_BYTES));
  try {
    return plain(Buffer.concat([plaintext, decipher.final()]));
  } catch {
    // The platform reports a tag that does not fit as an error of its own.
    return null;
  }
}

/** An X25519 key pair from a private key of 32 bytes. */
export function x25519Key(privateKey: Uint8Array): AgreementKey {
  const own = crypto.createPrivateKey({
    key: Buffer.concat([X25519_PKCS8, privateKey]),
    format: "der",
    type: "pkcs8",
  });
  return {
    publicKey: rawPublicKey(own, X25519_SPKI.length),
    agree: (publicKey) => {
      try {
        return plain(crypto.diffieHellman({ privateKey: own, publicKey: importPublicKey(X25519_SPKI, publicKey) }));
      } catch {
        // RFC 7748 section 6.1: the platform refuses a result of zeros. It also refuses a key of another length.
        return null;
      }
    },
  };
}

/**
 * An ML-KEM-768 key pair from its seed of 64 bytes.
 *
 * @throws CmcpError `SEAL_SUITE_UNSUPPORTED` where the runtime has no ML-KEM
 */
export function mlKem768Key(seed: Uint8Array): DecapsulationKey {
  requireMlKem();
  const own = importSeed(seed);
  return {
    publicKey: rawPublicKey(own, ML_KEM_768_SPKI.length),
    decapsulate: (ciphertext) => {
      try {
        return plain(crypto.decapsulate(own, ciphertext));
      } catch {
        // FIPS 203 section 7.3: a ciphertext of another length fails; any other has a secret, if a random one.
        return null;
      }
    },
  };
}

/** A secret of 32 bytes, and the ciphertext of 1088 bytes that it can be taken from. */
export interface Encapsulated {
  readonly secret: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/**
 * A fresh secret for the holder of an ML-KEM-768 public key; `null` for a key that FIPS 203 section 7.2 refuses.
 *
 * @throws CmcpError `SEAL_SUITE_UNSUPPORTED` where the runtime has no ML-KEM
 */
export function mlKem768Encapsulate(publicKey: Uint8Array): Encapsulated | null {
  requireMlKem();
  try {
    const { sharedKey, ciphertext } = crypto.encapsulate(importPublicKey(ML_KEM_768_SPKI, publicKey));
    return { secret: plain(sharedKey), ciphertext: plain(ciphertext) };
  } catch {
    // The platform refuses a key of another length, and one with coefficients that are not reduced.
    return null;
  }
}

let mlKem: boolean | undefined;

/** Whether the runtime has ML-KEM-768. Node 22 has none, nor has a Node on an OpenSSL before 3.5. */
export function hasMlKem(): boolean {
  mlKem ??= succeeds(() =>
    crypto.decapsulate(importSeed(new Uint8Array(ML_KEM_SEED_BYTES)), new Uint8Array(ML_KEM_CIPHERTEXT_BYTES)),
  );
  return mlKem;
}

/** Whether the platform has what is tried: it throws for an algorithm or a function that it does not know. */
export function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    // What went wrong is the answer.
    return false;
  }
}

/** @throws CmcpError `SEAL_SUITE_UNSUPPORTED` where the runtime has no ML-KEM */
export function requireMlKem(available: boolean = hasMlKem()): void {
  if (available) return;
  throw new CmcpError("SEAL_SUITE_UNSUPPORTED", "X-Wing needs ML-KEM-768, which this runtime lacks; Node 24.7 has it");
}

function importSeed(seed: Uint8Array): crypto.KeyObject {
  return crypto.createPrivateKey({ key: Buffer.concat([ML_KEM_768_PKCS8, seed]), format: "der", type: "pkcs8" });
}

function importPublicKey(prefix: Uint8Array, publicKey: Uint8Array): crypto.KeyObject {
  return crypto.createPublicKey({ key: Buffer.concat([prefix, publicKey]), format: "der", type: "spki" });
}

function rawPublicKey(key: crypto.KeyObject, prefixBytes: number): Uint8Array {
  return plain(crypto.createPublicKey(key).export({ format: "der", type: "spki" })).subarray(prefixBytes);
}

/** The key as an object of the platform's: Node 24.21 throws and catches two errors inside, some 20 µs, for one of bytes. */
function secretKey(key: Uint8Array): crypto.KeyObject {
  return crypto.createSecretKey(key);
}

function cipherOf(key: Uint8Array): crypto.CipherGCMTypes {
  return key.length === 16 ? "aes-128-gcm" : "aes-256-gcm";
}

/** The same bytes, as what the language calls bytes. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
