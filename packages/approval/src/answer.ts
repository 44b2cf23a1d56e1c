import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import type { Approver } from "./approver.ts";
import { sha256, verifiesEd25519, type ApprovalCrypto } from "./crypto.ts";
import { ID_BYTES, MAX_ANSWER_BYTES, MAX_REASON } from "./limits.ts";
import { approverId, bytes, digest } from "./members.ts";
import { checked, readCanonical, type Form } from "./read.ts";
import { assertionSchema } from "./webauthn/assertion.ts";
import { verifyAssertion } from "./webauthn/verify-assertion.ts";

/** What an approver's own key signs begins with this. */
const DOMAIN = "cmcp-approval-answer-v1|";
export const ANSWER_FORMAT = "cmcp-approval-answer/1";

const answerSchema = z.strictObject({
  format: z.literal(ANSWER_FORMAT),
  approval_id: bytes(ID_BYTES),
  /** Digest of the request's canonical bytes: the exact call that was shown. */
  request_hash: digest,
  approver: approverId,
  decision: z.enum(["approve", "deny"]),
  /** The approver's words. They are in the record, which the gateway's host reads. */
  reason: z
    .string()
    .min(1)
    .max(MAX_REASON)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, { error: "has a character that cannot be printed" })
    .optional(),
});
/** What one approver says to one request. */
export type ApprovalAnswer = z.output<typeof answerSchema>;

const signedSchema = z.union([
  z.strictObject({ answer: answerSchema, signature: bytes(64) }),
  z.strictObject({ answer: answerSchema, assertion: assertionSchema }),
]);
/** An answer with the signature of an Ed25519 key, or with a passkey's assertion. */
export type SignedAnswer = z.output<typeof signedSchema>;

const SIGNED: Form<SignedAnswer> = {
  what: "approval answer",
  schema: signedSchema,
  limits: { maxBytes: MAX_ANSWER_BYTES, maxDepth: 4, maxItems: 32 },
};

/** The canonical bytes of an answer. @throws CmcpError `APPROVAL_MALFORMED` */
export function answerBytes(answer: ApprovalAnswer): Uint8Array<ArrayBuffer> {
  return canonicalBytes(checked(answer, { what: "approval answer", schema: answerSchema }));
}

/** The bytes that an approver's Ed25519 key signs. */
export function answerSigningInput(answer: ApprovalAnswer): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${DOMAIN}${new TextDecoder().decode(answerBytes(answer))}`);
}

/** The challenge that a passkey signs, base64url: SHA-256 of the answer's canonical bytes. */
export async function answerChallenge(crypto: ApprovalCrypto, answer: ApprovalAnswer): Promise<string> {
  return toBase64Url(await sha256(crypto, answerBytes(answer)));
}

/** Reads a signed answer of at most 16 KiB. Its signature is not looked at. @throws CmcpError `APPROVAL_MALFORMED` */
export function readAnswer(input: Untrusted<Uint8Array>): SignedAnswer {
  return readCanonical(input, SIGNED);
}

/**
 * Verifies that an approver gave an answer.
 * @throws CmcpError `APPROVAL_ANSWER_INVALID` where it did not; `detail.check` names the check that failed
 */
export async function verifyAnswer(crypto: ApprovalCrypto, approver: Approver, signed: SignedAnswer): Promise<void> {
  const { answer } = signed;
  if (answer.approver !== approver.id) throw notSigned("the answer names another approver", "approver");
  if ("passkey" in approver) {
    if (!("assertion" in signed)) throw notSigned("the approver answers with a passkey", "method");
    const challenge = await answerChallenge(crypto, answer);
    return await verifyAssertion(crypto, approver.passkey, { assertion: signed.assertion, challenge });
  }
  if (!("signature" in signed)) throw notSigned("the approver answers with an Ed25519 key", "method");
  const [key, signature] = [fromBase64Url(approver.ed25519), fromBase64Url(signed.signature)];
  const verified =
    key !== undefined &&
    signature !== undefined &&
    (await verifiesEd25519(crypto, key, signature, answerSigningInput(answer)));
  if (!verified) throw notSigned("the approver's key did not sign it", "signature");
}

function notSigned(why: string, check: string): CmcpError {
  return new CmcpError("APPROVAL_ANSWER_INVALID", why, { detail: { check } });
}
