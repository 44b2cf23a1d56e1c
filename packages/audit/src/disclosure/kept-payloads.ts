import { hkdfSync, type KeyObject } from "node:crypto";
import { canonicalText, CmcpError, fromBase64Url, parseJson, toBase64Url, toHex, untrusted } from "@cmcp/boundary";
import { aesGcmOpen, aesGcmSeal, type AeadUse } from "@cmcp/seal";
import * as z from "zod";
import { saltOf } from "../commitment.ts";
import { COMMITTED_FIELDS, type CommittedField } from "../committed-field.ts";
import { DISCLOSURE_VERSION, MAX_KEPT_TEXT, type DisclosedCall } from "./disclosed-call.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
/** Most characters of base64url of what is sealed: at most three bytes of UTF-8 for a character, and twice that where JSON escapes it. */
const MAX_SEALED = 15_728_640;

/** What is kept of one call for auditors. */
export const keptPayloadsSchema = z.strictObject({
  v: z.literal(DISCLOSURE_VERSION),
  session_id: z.uuid(),
  call_id: z.string().min(1).max(256),
  /** Counts what is kept in the session from 1: the nonce. */
  number: z.int().positive(),
  /** AES-256-GCM, base64url: ciphertext and tag. */
  sealed: z.string().max(MAX_SEALED),
});
/** What is kept of one call for auditors. */
export type KeptPayloads = z.infer<typeof keptPayloadsSchema>;

const textsSchema = z.partialRecord(z.enum(COMMITTED_FIELDS), z.string().max(MAX_KEPT_TEXT));
/** The canonical JSON of what a call's entry commits to, by field. */
export type CommittedTexts = Readonly<Partial<Record<CommittedField, string>>>;

/** Where a record of kept payloads stands. */
export type KeptPlace = Pick<KeptPayloads, "session_id" | "call_id" | "number">;

/**
 * Encrypts what is kept of a call under a key from the session's.
 *
 * @param position `number` is used once in a session
 * @throws CmcpError `INTERNAL` for what has no room in a record
 */
export function sealPayloads(sessionKey: KeyObject, position: KeptPlace, texts: CommittedTexts): KeptPayloads {
  const sealed = toBase64Url(aesGcmSeal(aeadUse(sessionKey, position), Buffer.from(canonicalText(texts))));
  if (sealed.length > MAX_SEALED) throw new CmcpError("INTERNAL", "the payloads of a call have no room in a record");
  return { v: DISCLOSURE_VERSION, ...position, sealed };
}

/** Decrypts what is kept of a call; `null` where it was not encrypted under this key, or is no texts. */
export function openPayloads(sessionKey: KeyObject, payloads: KeptPayloads): CommittedTexts | null {
  const sealed = fromBase64Url(payloads.sealed);
  const plaintext = sealed === undefined ? null : aesGcmOpen(aeadUse(sessionKey, payloads), sealed);
  if (plaintext === null) return null;
  const limits = { maxBytes: MAX_SEALED, maxDepth: 2, maxItems: 16 };
  try {
    return textsSchema.safeParse(parseJson(untrusted(plaintext), limits)).data ?? null;
  } catch {
    // What is no JSON was not written by an enclave of ours.
    return null;
  }
}

/** A call as it is handed on: its texts, each with its salt. */
export function disclose(
  sessionKey: KeyObject,
  { session_id, call_id }: KeptPlace,
  sequenceNumber: number,
  texts: CommittedTexts,
): DisclosedCall {
  const fields: DisclosedCall["fields"] = {};
  for (const field of COMMITTED_FIELDS) {
    const text = texts[field];
    if (text !== undefined) fields[field] = { salt: toHex(saltOf(sessionKey, call_id, field)), text };
  }
  return { v: DISCLOSURE_VERSION, session_id, call_id, sequence_number: sequenceNumber, fields };
}

/** The key is by HKDF-SHA-256 (RFC 5869). No salt has this `info`: theirs begins with a UUID. */
function aeadUse(sessionKey: KeyObject, { session_id, call_id, number }: KeptPlace): AeadUse {
  const key = hkdfSync("sha256", sessionKey, new Uint8Array(), `${DISCLOSURE_VERSION}|content`, KEY_BYTES);
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(number), NONCE_BYTES - 8);
  return {
    key: new Uint8Array(key),
    nonce,
    aad: Buffer.from(`${DISCLOSURE_VERSION}|${session_id}|${call_id}|${number}`),
  };
}
