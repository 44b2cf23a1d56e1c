import { canonicalBytes, fromBase64Url, toBase64Url } from "@cmcp/boundary";
import * as z from "zod";
import { sha256, type ApprovalCrypto } from "./crypto.ts";
import { approverId, bytes, bytesUpTo } from "./members.ts";
import { readPublicKey } from "./webauthn/public-key.ts";

/** Most origins of a passkey. */
const MAX_ORIGINS = 8;

/** An approver with an Ed25519 key of its own: base64url of 32 bytes. */
const keyApproverSchema = z.strictObject({
  id: approverId.describe("Name of the approver: rules and the record say it."),
  ed25519: bytes(32).describe("Public key, base64url, of an approver who answers in a terminal (`cmcp key new`)."),
});

const passkeyApproverSchema = z.strictObject({
  id: approverId.describe("Name of the approver: rules and the record say it."),
  passkey: z.strictObject({
    /** The credential's public key: SubjectPublicKeyInfo of P-256 or Ed25519, base64url. */
    public_key: bytesUpTo(91)
      .refine((text) => readPublicKey(fromBase64Url(text) ?? new Uint8Array()) !== null, {
        error: "is no public key of P-256 or Ed25519 (SubjectPublicKeyInfo)",
      })
      .describe("Public key of the passkey of an approver who answers in a browser (`cmcp approvals register`)."),
    rp_id: z
      .string()
      .regex(/^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/)
      .describe("Name that the passkey is bound to: `localhost` for `cmcp approvals serve`."),
    /** Origins of pages that may ask for the passkey. */
    origins: z
      .array(z.string().regex(/^https?:\/\/[a-z0-9.-]{1,253}(:[0-9]{1,5})?$/))
      .min(1)
      .max(MAX_ORIGINS)
      .describe(
        "Pages that may ask for the passkey, each with its port: `http://localhost:8764` for `cmcp approvals serve`.",
      ),
  }),
});

export const approverSchema = z.union([keyApproverSchema, passkeyApproverSchema]);
/** Who may approve: a name, and an Ed25519 key or a passkey. */
export type Approver = z.output<typeof approverSchema>;
/** The passkey of an approver. */
export type Passkey = z.output<typeof passkeyApproverSchema>["passkey"];

/** The public key of an approver, base64url: two approvers with one key are one person. */
export function approverKey(approver: Approver): string {
  return "ed25519" in approver ? approver.ed25519 : approver.passkey.public_key;
}

/** SHA-256 of the approver's canonical JSON, base64url: sessions name their approvers by it. */
export async function approverDigest(crypto: ApprovalCrypto, approver: Approver): Promise<string> {
  return toBase64Url(await sha256(crypto, canonicalBytes(approver)));
}
