import { createSecretKey, hash, type KeyObject } from "node:crypto";
import { CmcpError, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import {
  openMessage,
  publicKeyInfo,
  sealMessage,
  SUITES,
  suiteOf,
  type Binding,
  type KemKey,
  type Recipient,
} from "@cmcp/seal";
import * as z from "zod";
import { SESSION_KEY_BYTES } from "../commitment.ts";

/** Version of the record of a session's key. */
const SESSION_KEY_VERSION = "cmcp-session-key-v2";
/** Most auditors of one gateway. */
export const MAX_AUDITORS = 8;

const keyId = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** The sealed key, 48 bytes, base64url. */
const sealed = z.string().regex(/^[A-Za-z0-9_-]{64}$/);

/** A session's key, sealed to each auditor. */
export const sessionKeySchema = z.strictObject({
  v: z.literal(SESSION_KEY_VERSION),
  session_id: z.uuid(),
  keys: z
    .array(
      z.discriminatedUnion("kem", [
        z.strictObject({
          auditor: keyId,
          kem: z.literal("x-wing"),
          /** HPKE's `enc`, 1120 bytes, base64url. */
          enc: z.string().regex(/^[A-Za-z0-9_-]{1494}$/),
          sealed,
        }),
        z.strictObject({
          auditor: keyId,
          kem: z.literal("x25519"),
          /** HPKE's `enc`, 32 bytes, base64url. */
          enc: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
          sealed,
        }),
      ]),
    )
    .min(1)
    .max(MAX_AUDITORS),
});
/** A session's key, sealed to each auditor. */
export type SessionKeyRecord = z.infer<typeof sessionKeySchema>;

/** Who can open a session: an X-Wing public key of 1216 bytes, or one of X25519 of 32. */
export interface Auditor extends Recipient {
  /** SHA-256 of the key's SubjectPublicKeyInfo, base64url. */
  readonly id: string;
}

/**
 * The auditor of a public key; its length says of which mechanism it is.
 *
 * @throws CmcpError `USAGE` for a key to which nothing can be sealed, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an
 * algorithm
 */
export function auditorOf(publicKey: Uint8Array): Auditor {
  const suite = SUITES.find(({ kem }) => kem.publicKeyBytes === publicKey.length);
  if (suite === undefined)
    throw new CmcpError("USAGE", `an auditor's key has 1216 bytes (X-Wing) or 32 (X25519), not ${publicKey.length}`);
  sealMessage({ suite, publicKey }, { info: new Uint8Array(), aad: new Uint8Array() }, new Uint8Array());
  return { id: toBase64Url(hash("sha256", publicKeyInfo(suite.kem, publicKey), "buffer")), suite, publicKey };
}

/** Seals a session's key to auditors. @throws CmcpError `USAGE` for an auditor's key to which nothing can be sealed */
export function sealSessionKey(sessionId: string, key: KeyObject, auditors: readonly Auditor[]): SessionKeyRecord {
  const keys = auditors.map((auditor) => {
    const message = sealMessage(auditor, bindingOf(sessionId, auditor.id), key.export());
    return {
      auditor: auditor.id,
      kem: auditor.suite.kem.name,
      enc: toBase64Url(message.encapsulated),
      sealed: toBase64Url(message.ciphertext),
    };
  });
  return { v: SESSION_KEY_VERSION, session_id: sessionId, keys };
}

/** The session's key, opened with an auditor's private key; `null` where it was not sealed to it. */
export function openSessionKey({ session_id, keys }: SessionKeyRecord, key: KemKey): KeyObject | null {
  const { id } = auditorOf(key.publicKey);
  const own = keys.find(({ auditor, kem }) => auditor === id && kem === key.kem.name);
  const [encapsulated, ciphertext] = [fromBase64Url(own?.enc ?? ""), fromBase64Url(own?.sealed ?? "")];
  if (encapsulated === undefined || ciphertext === undefined) return null;
  const message = { encapsulated, ciphertext };
  const opened = openMessage({ suite: suiteOf(key.kem), key }, bindingOf(session_id, id), message);
  return opened?.length === SESSION_KEY_BYTES ? createSecretKey(opened) : null;
}

function bindingOf(sessionId: string, auditor: string): Binding {
  return { info: Buffer.from(SESSION_KEY_VERSION), aad: Buffer.from(`${sessionId}|${auditor}`) };
}
