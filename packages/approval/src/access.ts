import { canonicalBytes, CmcpError, fromBase64Url, toBase64Url, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import type { Approver } from "./approver.ts";
import { sha256, verifiesEd25519, type ApprovalCrypto } from "./crypto.ts";
import { ID_BYTES, MAX_ANSWER_BYTES } from "./limits.ts";
import { approverId, bytes, digest, seconds } from "./members.ts";
import { checked, readCanonical, type Form } from "./read.ts";
import { assertionSchema, type PasskeyAssertion } from "./webauthn/assertion.ts";
import { verifyAssertion } from "./webauthn/verify-assertion.ts";

const DOMAIN = "cmcp-approval-access-v1|";
export const ACCESS_FORMAT = "cmcp-approval-access/1";

const accessSchema = z.strictObject({
  format: z.literal(ACCESS_FORMAT),
  /** RFC 7638 thumbprint of the instance's signing key, base64url: no other takes the statement. */
  instance: bytes(32),
  /** Digest of its launch document, which names the log's origin. */
  launch_digest: digest,
  approver: approverId,
  /** Base64url of 16 bytes. Each counts once. */
  random: bytes(ID_BYTES),
  issued_at: seconds,
});
/** What an approver signs to see what waits for it. */
export type ApprovalAccess = z.output<typeof accessSchema>;

const signedSchema = z.union([
  z.strictObject({ access: accessSchema, signature: bytes(64) }),
  z.strictObject({ access: accessSchema, assertion: assertionSchema }),
]);
/** A statement of access with the signature of an Ed25519 key, or with a passkey's assertion. */
export type SignedAccess = z.output<typeof signedSchema>;

const SIGNED: Form<SignedAccess> = {
  what: "statement of access",
  schema: signedSchema,
  limits: { maxBytes: MAX_ANSWER_BYTES, maxDepth: 4, maxItems: 32 },
};

/** The canonical bytes of a statement of access. @throws CmcpError `APPROVAL_MALFORMED` */
export function accessBytes(access: ApprovalAccess): Uint8Array<ArrayBuffer> {
  return canonicalBytes(checked(access, { what: SIGNED.what, schema: accessSchema }));
}

/** The bytes that the approver's Ed25519 key signs. @throws CmcpError `APPROVAL_MALFORMED` */
export function accessSigningInput(access: ApprovalAccess): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${DOMAIN}${new TextDecoder().decode(accessBytes(access))}`);
}

/**
 * The challenge that a passkey signs, base64url: SHA-256 of the statement's canonical bytes. These name their format, so that no answer has
 * the same.
 */
export async function accessChallenge(crypto: ApprovalCrypto, access: ApprovalAccess): Promise<string> {
  return toBase64Url(await sha256(crypto, accessBytes(access)));
}

/** Reads a signed statement of access. @throws CmcpError `APPROVAL_MALFORMED` */
export function readAccess(input: Untrusted<Uint8Array>): SignedAccess {
  return readCanonical(input, SIGNED);
}

/**
 * Verifies that an approver signed a statement of access.
 * @throws CmcpError `APPROVAL_ACCESS_INVALID`; `detail.check` names the check of a passkey's assertion that failed
 */
export async function verifyAccess(crypto: ApprovalCrypto, approver: Approver, signed: SignedAccess): Promise<void> {
  const { access } = signed;
  if (access.approver !== approver.id) throw notSigned();
  if ("passkey" in approver) {
    if (!("assertion" in signed)) throw notSigned();
    return await verifyPasskey(crypto, approver, { access, assertion: signed.assertion });
  }
  if (!("signature" in signed)) throw notSigned();
  const [key, signature] = [fromBase64Url(approver.ed25519), fromBase64Url(signed.signature)];
  const verified =
    key !== undefined &&
    signature !== undefined &&
    (await verifiesEd25519(crypto, key, signature, accessSigningInput(access)));
  if (!verified) throw notSigned();
}

async function verifyPasskey(
  crypto: ApprovalCrypto,
  { passkey }: Extract<Approver, { passkey: unknown }>,
  { access, assertion }: { readonly access: ApprovalAccess; readonly assertion: PasskeyAssertion },
): Promise<void> {
  const challenge = await accessChallenge(crypto, access);
  try {
    await verifyAssertion(crypto, passkey, { assertion, challenge });
  } catch (thrown) {
    throw notSigned(thrown);
  }
}

function notSigned(cause?: unknown): CmcpError {
  const detail = cause instanceof CmcpError ? { detail: cause.detail } : {};
  return new CmcpError("APPROVAL_ACCESS_INVALID", "no measured approver signed the statement", { cause, ...detail });
}
