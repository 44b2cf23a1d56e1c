import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import { AGENT_MANIFEST, DECISIONS, POLICY_HASH, type AuditEntry } from "./entry.ts";

/** Version of the receipt, and of the leaf of a decision. */
export const RECEIPT_VERSION = "cmcp-receipt-v3";
/**
 * Where a receipt stands in a reply: this key of an MCP result's `_meta`; in a JSON-RPC error it is `data.receipt`.
 * A tool server's own value under this key is never passed on.
 */
export const RECEIPT_META_KEY = "cmcp.gateway/receipt";
/**
 * Where the salts of a sealed call stand, beside its receipt: this key of a result's `_meta`; in a JSON-RPC error it
 * is `data.salts`. A tool server's own value under this key is never passed on.
 */
export const SALTS_META_KEY = "cmcp.gateway/salts";
/** Largest encoded receipt in bytes: a leaf, a path of 48 hashes and a note. */
export const MAX_RECEIPT_BYTES = 12_288;
/** Most hashes of an inclusion path: a log has at most 2^48 leaves. */
const MAX_PATH = 48;
/** Longest note in characters. */
const MAX_NOTE = 4096;

/** How the agent reached the enclave: through a host that reads along, or not. */
export const CHANNELS = ["plain", "sealed"] as const;

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What a receipt says of a decision. Its canonical JSON is the decision's leaf in the log. */
const bodyMembers = {
  v: z.literal(RECEIPT_VERSION),
  kind: z.literal("entry"),
  /** RFC 7638 thumbprint of the signing key of the instance that decided, base64url. */
  instance: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Counts the instance's records from 0. */
  seq: z.int().nonnegative(),
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
  /** What a sealed call's entry commits to. Its agent has the salts. Absent for a plain call. */
  request_payload_hash: z.string().regex(POLICY_HASH).exactOptional(),
  response_payload_hash: z.string().regex(POLICY_HASH).exactOptional(),
  /** Thumbprint of the agent manifest that the call was made under. Absent where none was. */
  agent_manifest: z.string().regex(POLICY_HASH).exactOptional(),
};

/** What a receipt says, before it has a place in the log. */
export const receiptBodySchema = z.strictObject(bodyMembers);
/** What a receipt says, before it has a place in the log. */
export type ReceiptBody = z.infer<typeof receiptBodySchema>;

/** Where a record stands in the log. */
export const logPlaceSchema = z.strictObject({
  /** Index of the leaf, from 0. */
  index: z.int().nonnegative(),
  /** Inclusion path in the tree that the note names, lowest hash first, base64url (RFC 9162 section 2.1.3). */
  path: z.array(z.string().regex(/^[A-Za-z0-9_-]{43}$/)).max(MAX_PATH),
  /** The signed checkpoint of that tree. */
  note: z.string().max(MAX_NOTE),
});
/** Where a record stands in the log. */
export type LogPlace = z.infer<typeof logPlaceSchema>;

/** A statement, under a signed head of the log, that one decision stands at one place in one session's chain. */
export const receiptSchema = z.strictObject({ ...bodyMembers, log: logPlaceSchema });
/** A statement, under a signed head of the log, that one decision stands at one place in one session's chain. */
export type Receipt = z.infer<typeof receiptSchema>;

/** What an entry's decision is, before an instance numbers it. */
export type Decided = Omit<ReceiptBody, "instance" | "seq">;

/**
 * The decision that an entry records.
 *
 * @param entry a `tool_call` entry with a call id, a decision and `detail.policy_hash`; anything else throws
 * `INTERNAL`.
 */
export function decidedBy(entry: AuditEntry, channel: Receipt["channel"]): Decided {
  const decided = hasDecision(entry);
  if (decided === null) throw new CmcpError("INTERNAL", "only a decided tool call has a receipt");
  return {
    call_id: decided.call_id,
    channel,
    decision: decided.decision,
    entry_hash: entry.entry_hash,
    kind: "entry",
    policy_hash: decided.policy_hash,
    prev_entry_hash: entry.prev_entry_hash,
    sequence_number: entry.sequence_number,
    session_id: entry.session_id,
    time: entry.timestamp_utc,
    time_source: "host-asserted",
    v: RECEIPT_VERSION,
    ...(channel === "sealed" ? commitmentsOf(entry) : {}),
    ...manifestOf(entry),
  };
}

function manifestOf({ detail }: AuditEntry): Pick<Decided, "agent_manifest"> {
  const thumbprint = detail?.[AGENT_MANIFEST];
  return typeof thumbprint === "string" && POLICY_HASH.test(thumbprint) ? { agent_manifest: thumbprint } : {};
}

function commitmentsOf({
  request_payload_hash: request,
  response_payload_hash: response,
}: AuditEntry): Pick<Decided, "request_payload_hash" | "response_payload_hash"> {
  return {
    ...(request === null ? {} : { request_payload_hash: request }),
    ...(response === null ? {} : { response_payload_hash: response }),
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

/** The leaf of a receipt's decision: its canonical JSON without the place in the log. */
export function receiptLeaf(receipt: ReceiptBody & { readonly log?: unknown }): Uint8Array<ArrayBuffer> {
  const { log: _, ...body } = receipt;
  return canonicalBytes(body);
}
