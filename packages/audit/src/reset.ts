import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";

/** Domain that signatures of operators are separated by. */
const OPERATOR_DOMAIN = "cmcp-operator-v1|";
/** Largest encoded reset statement in bytes. */
export const MAX_RESET_BYTES = 8192;
/** Longest reason in a statement, in UTF-16 units. */
export const MAX_RESET_REASON = 512;

/**
 * What an operator says: this session, with everything up to this entry, is looked at, and its principal starts again.
 */
export const resetStatementSchema = z.strictObject({
  v: z.literal(1),
  purpose: z.literal("session-reset"),
  session_id: z.uuid(),
  /** Hash of the session's last entry: what came after it, the operator has not seen. */
  chain_tip: z.string().regex(/^[0-9a-f]{64}$/),
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Rises with every statement of one key. */
  sequence: z.int().positive(),
  reason: z.string().min(1).max(MAX_RESET_REASON),
});
/** What an operator signs to reset a session. */
export type ResetStatement = z.infer<typeof resetStatementSchema>;

/** A reset statement as it travels. */
export const signedResetSchema = z.strictObject({
  statement: resetStatementSchema,
  /** The operator's Ed25519 public key, 32 bytes, base64url. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Ed25519 over {@link resetSigningInput}, 64 bytes, base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
/** A reset statement with the key and signature of the operator. */
export type SignedReset = z.infer<typeof signedResetSchema>;

const prefix = new TextEncoder().encode(OPERATOR_DOMAIN);

/** The bytes an operator signs: `cmcp-operator-v1|` and the statement's canonical JSON (RFC 8785). */
export function resetSigningInput(statement: ResetStatement): Uint8Array<ArrayBuffer> {
  const json = canonicalBytes(statement);
  const bytes = new Uint8Array(prefix.length + json.length);
  bytes.set(prefix);
  bytes.set(json, prefix.length);
  return bytes;
}

/**
 * Members of a `session_reset` detail. With the entry's session, the entry before it and the root entry's
 * instance they are the whole signed statement, so that anybody can verify it again.
 */
export const resetDetailSchema = z.looseObject({
  operator_key: signedResetSchema.shape.key,
  operator_signature: signedResetSchema.shape.signature,
  sequence: resetStatementSchema.shape.sequence,
  reason: resetStatementSchema.shape.reason,
});
