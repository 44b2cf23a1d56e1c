/** Receipts of the earlier form, which a verifier reads: each has a signature over the tree of what was signed with it. */
import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";
import { DECISIONS, POLICY_HASH } from "./entry.ts";
import { CHANNELS, receiptSchema } from "./receipt.ts";
import { treeSignatureSchema } from "./tree-signature.ts";

/** Version of this form, and what begins its leaves. */
export const RECEIPT_V2 = "cmcp-receipt-v2";

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** A statement, signed by the enclave, that one decision stands at one place in one session's chain. */
export const receiptV2Schema = z.strictObject({
  v: z.literal(RECEIPT_V2),
  /** RFC 7638 thumbprint of the signing key, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  session_id: z.uuid(),
  sequence_number: z.int().positive(),
  entry_hash: hash,
  prev_entry_hash: hash,
  call_id: z.string().min(1).max(256),
  decision: z.enum(DECISIONS),
  policy_hash: z.string().regex(POLICY_HASH),
  channel: z.enum(CHANNELS),
  /** When the entry was made, by a clock the host sets. */
  time: z.iso.datetime({ offset: true }),
  time_source: z.literal("host-asserted"),
  signature: treeSignatureSchema,
});
/** A receipt of the earlier form. */
export type ReceiptV2 = z.infer<typeof receiptV2Schema>;

const prefix = new TextEncoder().encode(`${RECEIPT_V2}|`);

/** Such a receipt as a leaf: `cmcp-receipt-v2|` and the canonical JSON of everything but the signature. */
export function receiptV2Leaf(
  receipt: Omit<ReceiptV2, "signature"> & { readonly signature?: unknown },
): Uint8Array<ArrayBuffer> {
  const { signature: _, ...body } = receipt;
  const json = canonicalBytes(body);
  const bytes = new Uint8Array(prefix.length + json.length);
  bytes.set(prefix);
  bytes.set(json, prefix.length);
  return bytes;
}

/** A receipt of any form that a verifier reads. */
export const anyReceiptSchema = z.discriminatedUnion("v", [receiptSchema, receiptV2Schema]);
/** A receipt of any form that a verifier reads. */
export type AnyReceipt = z.infer<typeof anyReceiptSchema>;
