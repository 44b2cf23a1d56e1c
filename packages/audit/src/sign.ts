import { createHash } from "node:crypto";
import { canonicalText, CmcpError, toBase64Url } from "@cmcp/boundary";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { callDetailSchema, type AuditEntry } from "./entry.ts";
import { RECEIPT_VERSION, receiptSigningInput, type Receipt } from "./receipt.ts";

/** Signs with the enclave's Ed25519 key; returns the 64-byte signature. */
export type Sign = (bytes: Uint8Array) => Uint8Array;

/**
 * The receipt of a decision that is in the chain.
 *
 * @param entry a `tool_call` entry with a call id, a decision and `detail.policy_hash`; anything else throws `INTERNAL`.
 * @param instance RFC 7638 thumbprint of the signing key, base64url.
 */
export function signReceipt(entry: AuditEntry, instance: string, channel: Receipt["channel"], sign: Sign): Receipt {
  const detail = callDetailSchema.safeParse(entry.detail);
  if (entry.entry_type !== "tool_call" || entry.call_id === null || entry.policy_decision === null || !detail.success) {
    throw new CmcpError("INTERNAL", "only a decided tool call has a receipt");
  }
  const body = {
    v: RECEIPT_VERSION,
    instance,
    session_id: entry.session_id,
    sequence_number: entry.sequence_number,
    entry_hash: entry.entry_hash,
    prev_entry_hash: entry.prev_entry_hash,
    call_id: entry.call_id,
    decision: entry.policy_decision,
    policy_hash: detail.data.policy_hash,
    channel,
    time: entry.timestamp_utc,
    time_source: "host-asserted",
  } as const;
  return { ...body, signature: toBase64Url(sign(receiptSigningInput(body))) };
}

/** Entries in one piece of a bundle's text. */
const ENTRIES_A_PIECE = 256;

/**
 * The JSON text of a whole session's entries, signed (`AuditBundle`), in pieces: the largest has tens of megabytes,
 * and whoever sends it does other things between them. The caller has checked that the entries are the session's chain.
 * @throws CmcpError `INTERNAL` for none, or more than `MAX_BUNDLE_ENTRIES`
 */
export function* bundleText(sessionId: string, entries: readonly AuditEntry[], sign: Sign): Generator<string, void, void> {
  if (entries.length === 0 || entries.length > MAX_BUNDLE_ENTRIES) {
    throw new CmcpError("INTERNAL", `a bundle has 1 to ${MAX_BUNDLE_ENTRIES} entries`);
  }
  const digest = createHash("sha256");
  yield `{"session_id":${JSON.stringify(sessionId)},"entries":`;
  for (let from = 0; from < entries.length; from += ENTRIES_A_PIECE) {
    const texts = entries.slice(from, from + ENTRIES_A_PIECE).map((entry) => canonicalText(entry));
    const piece = `${from === 0 ? "[" : ","}${texts.join(",")}`;
    digest.update(piece);
    yield piece;
  }
  digest.update("]");
  yield `],"bundle_signature":"${toBase64Url(sign(digest.digest()))}"}`;
}
