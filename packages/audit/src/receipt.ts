import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import { DECISIONS, POLICY_HASH, type AuditEntry } from "./entry.ts";
import { treeSignatureSchema } from "./tree-signature.ts";

/** Version of the receipt format, and what separates its leaves from those of records. */
export const RECEIPT_VERSION = "cmcp-receipt-v2";
/**
 * Where a receipt travels: this key of an MCP result's `_meta`; in a JSON-RPC error it is `data.receipt`.
 * A tool server's own value under this key is never passed on.
 */
export const RECEIPT_META_KEY = "cmcp.gateway/receipt";
/** Largest encoded receipt in bytes. */
export const MAX_RECEIPT_BYTES = 4096;

/** How the agent reached the enclave: through a host that reads along, or not. */
export const CHANNELS = ["plain", "sealed"] as const;

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
  policy_hash: z.string().regex(POLICY_HASH),
  channel: z.enum(CHANNELS),
  /** When the entry was made, by a clock the host sets. */
  time: z.iso.datetime({ offset: true }),
  time_source: z.literal("host-asserted"),
  signature: treeSignatureSchema,
});
/** A statement, signed by the enclave, that one decision stands at one place in one session's chain. */
export type Receipt = z.infer<typeof receiptSchema>;

const prefix = new TextEncoder().encode(`${RECEIPT_VERSION}|`);

/** What a receipt says, before it is signed. */
export type ReceiptBody = Omit<Receipt, "signature">;

/**
 * The receipt of a decision that is in the chain, not yet signed.
 *
 * @param entry a `tool_call` entry with a call id, a decision and `detail.policy_hash`; anything else throws
 * `INTERNAL`.
 * @param instance RFC 7638 thumbprint of the signing key, base64url.
 */
export function receiptOf(entry: AuditEntry, instance: string, channel: Receipt["channel"]): ReceiptBody {
  const decided = hasDecision(entry);
  if (decided === null) throw new CmcpError("INTERNAL", "only a decided tool call has a receipt");
  return {
    call_id: decided.call_id,
    channel,
    decision: decided.decision,
    entry_hash: entry.entry_hash,
    instance,
    policy_hash: decided.policy_hash,
    prev_entry_hash: entry.prev_entry_hash,
    sequence_number: entry.sequence_number,
    session_id: entry.session_id,
    time: entry.timestamp_utc,
    time_source: "host-asserted",
    v: RECEIPT_VERSION,
  };
}

/** What a receipt says of the decision an entry records; `null` for an entry that has none. */
export function hasDecision(entry: AuditEntry): Pick<ReceiptBody, "call_id" | "decision" | "policy_hash"> | null {
  const policyHash = entry.detail?.["policy_hash"];
  if (
    entry.entry_type !== "tool_call" ||
    entry.call_id === null ||
    entry.policy_decision === null ||
    typeof policyHash !== "string" ||
    !POLICY_HASH.test(policyHash)
  )
    return null;
  return { call_id: entry.call_id, decision: entry.policy_decision, policy_hash: policyHash };
}

/**
 * A receipt as a leaf of the tree that is signed: `cmcp-receipt-v2|` and the canonical JSON of everything but the
 * signature.
 */
export function receiptLeaf(receipt: ReceiptBody & { readonly signature?: unknown }): Uint8Array<ArrayBuffer> {
  const { signature: _, ...body } = receipt;
  const json = canonicalBytes(body);
  const bytes = new Uint8Array(prefix.length + json.length);
  bytes.set(prefix);
  bytes.set(json, prefix.length);
  return bytes;
}
