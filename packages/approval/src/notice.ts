import { canonicalBytes, fromBase64Url, type Untrusted } from "@cmcp/boundary";
import * as z from "zod";
import { verifiesEd25519, type ApprovalCrypto } from "./crypto.ts";
import { ID_BYTES, MAX_APPROVAL_SECONDS, MAX_APPROVERS, MAX_NOTICE_BYTES } from "./limits.ts";
import { bytes, seconds } from "./members.ts";
import { checked, readCanonical, type Form } from "./read.ts";

/** What an instance signs begins with this. */
const DOMAIN = "cmcp-approval-notice-v1|";
export const NOTICE_FORMAT = "cmcp-approval-notice/1";

const noticeSchema = z
  .strictObject({
    format: z.literal(NOTICE_FORMAT),
    /** Name of the log. */
    origin: z.string().min(1).max(512),
    /** RFC 7638 thumbprint of the instance's signing key, base64url. */
    instance: bytes(32),
    approval_id: bytes(ID_BYTES),
    issued_at: seconds,
    expires_at: seconds,
    /** Approvals by so many distinct approvers. */
    needed: z.int().min(1).max(MAX_APPROVERS),
    /** Where people look; absent where the launch document names no place. */
    url: z.string().max(1_024).optional(),
  })
  .refine(({ issued_at: from, expires_at: to }) => to > from && to - from <= MAX_APPROVAL_SECONDS, {
    path: ["expires_at"],
    error: `is after issued_at, by at most ${MAX_APPROVAL_SECONDS} seconds`,
  });
/** That something waits for approval, and nothing of what it is. */
export type ApprovalNotice = z.output<typeof noticeSchema>;

const signedSchema = z.strictObject({ notice: noticeSchema, signature: bytes(64) });
/** A notice with the signature of the instance that it names. */
export type SignedNotice = z.output<typeof signedSchema>;

const SIGNED: Form<SignedNotice> = {
  what: "approval notice",
  schema: signedSchema,
  limits: { maxBytes: MAX_NOTICE_BYTES, maxDepth: 3, maxItems: 32 },
};

/** The bytes that the instance signs. @throws CmcpError `APPROVAL_MALFORMED` */
export function noticeSigningInput(notice: ApprovalNotice): Uint8Array<ArrayBuffer> {
  const statement = canonicalBytes(checked(notice, { what: SIGNED.what, schema: noticeSchema }));
  return new TextEncoder().encode(`${DOMAIN}${new TextDecoder().decode(statement)}`);
}

/** Reads a signed notice of at most 4 KiB. Its signature is not looked at. @throws CmcpError `APPROVAL_MALFORMED` */
export function readNotice(input: Untrusted<Uint8Array>): SignedNotice {
  return readCanonical(input, SIGNED);
}

/** Whether an instance signed a notice. @param signingKey Ed25519, base64url of 32 bytes */
export async function isNoticeSignedBy(
  crypto: ApprovalCrypto,
  signingKey: string,
  { notice, signature }: SignedNotice,
): Promise<boolean> {
  const [key, signed] = [fromBase64Url(signingKey), fromBase64Url(signature)];
  if (key?.length !== 32 || signed === undefined) return false;
  return await verifiesEd25519(crypto, key, signed, noticeSigningInput(notice));
}

/**
 * What a notice's `webhook-signature` is over: Standard Webhooks 1.0, asymmetric. No other statement of an instance begins with the id of an
 * approval and a dot.
 * @param sentAt seconds since the epoch
 */
export function webhookSigningInput(approvalId: string, sentAt: number, body: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${approvalId}.${sentAt}.${body}`);
}
