import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";
import { DECISIONS } from "./entry.ts";

/** Version of the receipt format, and the domain its signature is separated by. */
export const RECEIPT_VERSION = "cmcp-receipt-v1";
/**
 * Where a receipt travels: this key of an MCP result's `_meta`; in a JSON-RPC error it is `data.receipt`.
 * A tool server's own value under this key is never passed on.
 */
export const RECEIPT_META_KEY = "cmcp.gateway/receipt";
/** Largest encoded receipt in bytes. */
export const MAX_RECEIPT_BYTES = 4096;

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** A statement, signed by the enclave, that one decision stands at one place in one session's chain. */
export const receiptSchema = z.strictObject({
  v: z.literal(RECEIPT_VERSION),
  /** RFC 7638 thumbprint of the signing key, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  session_id: z.uuid(),
  sequence_number: z.int().positive(),
  entry_hash: hash,
  prev_entry_hash: hash,
  call_id: z.string().min(1).max(256),
  decision: z.enum(DECISIONS),
  policy_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  channel: z.enum(["plain", "sealed"]),
  /** When the entry was made, by a clock the host sets. */
  time: z.iso.datetime({ offset: true }),
  time_source: z.literal("host-asserted"),
  /** Ed25519, base64url without padding. */
  signature: z.string().max(128),
});
/** A statement, signed by the enclave, that one decision stands at one place in one session's chain. */
export type Receipt = z.infer<typeof receiptSchema>;

const prefix = new TextEncoder().encode(`${RECEIPT_VERSION}|`);

/** The bytes a receipt's signature is made over: `cmcp-receipt-v1|` and the canonical JSON of everything but the signature. */
export function receiptSigningInput(receipt: Omit<Receipt, "signature"> & { signature?: string }): Uint8Array<ArrayBuffer> {
  const { signature: _, ...body } = receipt;
  const json = canonicalBytes(body);
  const bytes = new Uint8Array(prefix.length + json.length);
  bytes.set(prefix);
  bytes.set(json, prefix.length);
  return bytes;
}
