import { canonicalText, CmcpError, schemaProblem, type JsonValue } from "@cmcp/boundary";
import * as z from "zod";

/** What the instance's signing key signs begins with this. */
const DOMAIN = "cmcp-provision-receipt-v1|";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const receiptSchema = z.strictObject({
  v: z.literal(1),
  /** RFC 7638 thumbprint of the instance's signing key, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** SHA-256 of the signed statement's canonical bytes. */
  statement: digest,
  /** The provisionings of the log so far, this one included. */
  provision_sequence: z.int().positive(),
  /** SHA-256 of the body of the log's record. */
  provision_hash: digest,
});
/** What an instance says of a statement that is in force and on record. */
export type ProvisionReceipt = z.output<typeof receiptSchema>;

const signedSchema = z.strictObject({ receipt: receiptSchema, signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/) });
/** A receipt with the instance's signature, Ed25519, base64url of 64 bytes. */
export type SignedReceipt = z.output<typeof signedSchema>;

/** The bytes that an instance signs: `cmcp-provision-receipt-v1|` and the receipt's canonical JSON. */
export function receiptInput(receipt: ProvisionReceipt): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${DOMAIN}${canonicalText(receipt)}`);
}

/** Reads what a gateway answered. The signature is not checked. @throws CmcpError `GATEWAY_ANSWER_INVALID` */
export function readReceipt(answer: JsonValue): SignedReceipt {
  const parsed = signedSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CmcpError("GATEWAY_ANSWER_INVALID", `the receipt is not valid: ${schemaProblem(parsed.error).text}`);
}
