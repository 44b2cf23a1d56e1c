import { canonicalBytes } from "@cmcp/boundary";
import * as z from "zod";

/** Longest text in an entry, in UTF-16 units; a chain and a reader both refuse more. */
export const MAX_ENTRY_TEXT = 4096;
/** Most members of an entry's `detail`. */
export const MAX_DETAIL_MEMBERS = 64;
/** Longest name of such a member, in UTF-16 units. */
const MAX_DETAIL_NAME = 128;

/** The member of a root entry's and of a call's `detail` that names the session's agent manifest: its thumbprint, a digest. */
export const AGENT_MANIFEST = "agent_manifest";

/** The form of `policy_hash`. */
export const POLICY_HASH = /^sha256:[0-9a-f]{64}$/;

const text = z.string().max(MAX_ENTRY_TEXT);
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What an entry records. */
export const ENTRY_TYPES = [
  "session_start",
  "session_end",
  "session_reset",
  "tool_call",
  "egress_denied",
  "attestation_refresh",
  "policy_load",
  "catalog_load",
  "fault",
  "suspicious_call_sequence",
  "attestation_stale",
  "catalog_drift",
  "break_glass_used",
  "provision",
  "approval",
  "server_egress",
] as const;

/** The decision an entry records; `n/a` where nothing was decided. */
export const DECISIONS = ["allow", "deny", "redact", "advisory_deny", "step_up", "defer", "fault", "n/a"] as const;

/** What response inspection found. */
export const INSPECTION_RESULTS = [
  "pass",
  "injection_detected",
  "schema_violation",
  "surplus_stripped",
  "size_exceeded",
  "n/a",
] as const;

/** How the identity of the server that answered was established. */
export const EVIDENCE_CLASSES = ["hash-only", "tls-pinned", "spawn-measured", "spawn-unmeasured", "attested"] as const;

/** A receipt that an authority outside the gateway signed for what was executed. */
const executionEvidenceSchema = z.strictObject({
  issuer: text,
  issuer_key_id: hash,
  signature: text,
  evidence_hash: z.string().regex(/^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96})$/),
  evidence_type: z.enum(["controller-execution-receipt/v1", "tee-signed-receipt", "controller-jwt", "opaque-receipt"]),
  linked_call_id: text,
});

const detailSchema = z
  .record(z.string().max(MAX_DETAIL_NAME), z.union([text, z.number()]))
  .refine((members) => Object.keys(members).length <= MAX_DETAIL_MEMBERS, "too many members");

/** One entry of a session's audit chain: every field is always present, `null` where it does not apply. */
export const auditEntrySchema = z.strictObject({
  entry_id: z.uuid(),
  sequence_number: z.int().nonnegative(),
  timestamp_utc: z.iso.datetime({ offset: true }),
  session_id: z.uuid(),
  call_id: text.nullable(),
  entry_type: z.enum(ENTRY_TYPES),
  tool_name: text.nullable(),
  server_identity: text.nullable(),
  policy_decision: z.enum(DECISIONS).nullable(),
  policy_rule_matched: text.nullable(),
  latency_us: z.int().nonnegative().nullable(),
  request_payload_hash: text.nullable(),
  response_payload_hash: text.nullable(),
  response_inspection_result: z.enum(INSPECTION_RESULTS).nullable(),
  session_sensitivity_before: text.nullable(),
  session_sensitivity_after: text.nullable(),
  detail: detailSchema.nullable(),
  workflow_id: text.nullable(),
  evidence_class: z.enum(EVIDENCE_CLASSES),
  external_execution_evidence: executionEvidenceSchema.nullable(),
  effective_data_class: text.nullable(),
  prev_entry_hash: z.union([z.literal("genesis"), hash]),
  entry_hash: hash,
});

/** One entry of a session's audit chain. */
export type AuditEntry = z.infer<typeof auditEntrySchema>;
/** A decision as the audit chain records it. */
export type AuditDecision = (typeof DECISIONS)[number];
/** What an entry records. */
export type EntryType = (typeof ENTRY_TYPES)[number];

/** The bytes whose SHA-256, in lowercase hex, is the entry's `entry_hash`: canonical JSON of everything else. */
export function entryHashInput(
  entry: Omit<AuditEntry, "entry_hash"> & { entry_hash?: string },
): Uint8Array<ArrayBuffer> {
  const { entry_hash: _, ...body } = entry;
  return canonicalBytes(body);
}

/**
 * Members every `session_start` detail carries, so that the root hash, and with it the attestation
 * report, commits to them.
 */
export const rootDetailSchema = z.looseObject({
  policy_hash: z.string().regex(POLICY_HASH),
  catalog_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  enforcement_mode: z.enum(["enforcing", "advisory", "silent"]),
  launch_digest: text,
  channel: z.enum(["plain", "sealed"]),
  isolation: z.enum(["none", "network-namespace"]),
});
/** The members a `session_start` detail must have; more may stand beside them. */
export type RootDetail = z.infer<typeof rootDetailSchema>;

/**
 * Members of a `tool_call` detail with a fixed meaning: the policy bundle it was decided under
 * (`policy_hash`, always), the catalog (`catalog_hash`, where it can change) and the compliance domain whose data the call touched (absent when it touched none).
 */
export const callDetailSchema = z.looseObject({
  policy_hash: z.string().regex(POLICY_HASH),
  catalog_hash: z.string().regex(POLICY_HASH).optional(),
  compliance_domain: text.optional(),
});

/** Members of a `session_start` detail that name the policy bundle the session begins under. */
export const policyDetailSchema = z.looseObject({
  policy_hash: z.string().regex(POLICY_HASH),
  policy_version: z.string().max(MAX_ENTRY_TEXT).optional(),
});

/**
 * Members of a `policy_load` detail: from the next decision on, this bundle is in force in place of the previous one.
 */
export const policyLoadDetailSchema = z.looseObject({
  policy_hash: z.string().regex(POLICY_HASH),
  policy_version: z.string().max(MAX_ENTRY_TEXT),
  previous_policy_hash: z.string().regex(POLICY_HASH),
});

/**
 * Members of a `catalog_load` detail: from the next decision on, this catalog is in force in place of the previous one.
 */
export const catalogLoadDetailSchema = z.looseObject({
  catalog_hash: z.string().regex(POLICY_HASH),
  catalog_version: z.int().positive(),
  previous_catalog_hash: z.string().regex(POLICY_HASH),
});
