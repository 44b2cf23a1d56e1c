import * as z from "zod";

/** Version of the claim envelope. */
export const CMCP_VERSION = "1.0";
/** Key of a result's `_meta` that names the claim made after the call: `{sequence_number, claim_hash}`. */
export const CLAIM_META_KEY = "cmcp.gateway/claim";
/** The profiles a claim can be issued under: TRACE v0.2, and v0.1 as first published. */
export const EAT_PROFILES = ["tag:agentrust-io.com,2026:trace-v0.2", "tag:agentrust.io,2026:trace-v0.1"] as const;
/** The profile a claim is issued under. */
export type EatProfile = (typeof EAT_PROFILES)[number];

// Times and counters beyond 2^53 have no exact canonical form; earlier than 2023-11-14 TRACE refuses.
const MIN_IAT = 1_700_000_000;

const text = z.string().max(4096);
const count = z.int().nonnegative();
const digest = z.string().regex(/^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96})$/);
const sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const spiffe = z
  .string()
  .max(2048)
  .regex(/^spiffe:\/\/[^/\s]+\/\S+$/);

const transcriptEntry = z.strictObject({
  tool_name: text,
  data_class: text,
  decision: z.enum(["allow", "deny", "redact", "advisory_deny", "fault", "n/a"]),
});

const jwk = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().regex(/^cmcp-[0-9a-f]{8}$/),
});

const trace = z.strictObject({
  eat_profile: z.enum(EAT_PROFILES),
  iat: z.int().min(MIN_IAT),
  subject: z.string().regex(/^spiffe:\/\/cmcp\.gateway\/tee\/[0-9a-f]{16}$/),
  runtime: z.strictObject({
    platform: z.enum([
      "intel-tdx",
      "amd-sev-snp",
      "azure-cvm-sev-snp",
      "nvidia-h100",
      "nvidia-blackwell",
      "aws-nitro",
      "arm-cca",
      "google-confidential-space",
      "tpm2",
      "software-only",
    ]),
    measurement: digest,
    nonce: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
    firmware_version: text,
  }),
  policy: z.strictObject({
    bundle_hash: sha256,
    enforcement_mode: z.enum(["enforce", "advisory", "silent"]),
    version: text,
  }),
  data_class: text,
  tool_transcript: z.strictObject({ hash: sha256, call_count: count, entries: z.array(transcriptEntry).max(50_000) }),
  cnf: z.strictObject({ jwk }),
});

const callSummary = z.strictObject({
  tool_calls_total: count,
  tool_calls_allowed: count,
  tool_calls_denied: count,
  tool_calls_faulted: count,
  tools_invoked: z.array(text).max(50_000),
  session_max_sensitivity: text,
  call_graph_summary: z.strictObject({
    compliance_domains_touched: z.array(text).max(64),
    cross_boundary_events: z.array(z.record(z.string().max(128), z.union([text, z.number()]))).max(1024),
    edges_represent: text.optional(),
  }),
});

const agentIdentity = z.strictObject({
  manifest_id: text,
  agent_id: spiffe,
  authenticated_subject: spiffe,
  subject_source: z.enum(["config", "svid", "manifest-dev"]),
  issuer: spiffe,
  issuer_key_id: text,
  policy_bundle_hash: digest,
  tool_catalog_hash: digest,
  intent_hash: sha256.optional(),
  enforcement_mode: z.enum(["enforcing", "advisory", "silent"]).optional(),
});

/**
 * What the kill switch was set to; absent where it is not enabled. `trigger` says what stopped the session, and is
 * absent if nothing did.
 */
const killSwitch = z.strictObject({
  enabled: z.literal(true),
  window_seconds: z.int().positive(),
  deny_rate_threshold: z.number().gt(0).max(1),
  min_calls: z.int().positive(),
  trigger: z.enum(["deny_rate", "operator"]).optional(),
});

const gateway = z.strictObject({
  session_id: z.uuid(),
  gateway_version: text,
  sequence_number: z.int().positive(),
  prev_claim_hash: sha256.optional(),
  audit_chain: z.strictObject({ root: hash, tip: hash, length: z.int().positive() }),
  call_summary: callSummary,
  catalog: z.strictObject({ hash: sha256, drift_detected: z.boolean() }),
  attestation_generated_at: z.iso.datetime({ offset: true }),
  attestation_validity_seconds: count,
  attestation_stale: z.boolean(),
  catalog_exceptions: z.array(z.record(z.string().max(128), text)).max(1024),
  call_log_summary: z
    .strictObject({ total_calls: count, tools_called: z.array(text).max(50_000), suspicious_sequences_detected: count })
    .optional(),
  agent_identity: agentIdentity.optional(),
  kill_switch_triggered: z.boolean(),
  kill_switch: killSwitch.optional(),
  attestation_evidence: z
    .strictObject({
      raw_evidence: z.string().optional(),
      quote_signature: z.string().optional(),
      cert_chain: z.string().optional(),
      ek_cert_chain: z.string().optional(),
    })
    .optional(),
});

/** The claim as it travels. Nothing may be added to it: an unknown member is refused. */
export const claimSchema = z.strictObject({
  cmcp_version: z.literal(CMCP_VERSION),
  trace,
  gateway,
  signature: z.string().max(128),
});
/** A signed claim about one session. */
export type Claim = z.infer<typeof claimSchema>;
/** A claim before it is signed. */
export type UnsignedClaim = Omit<Claim, "signature">;
/** The confirmation key of a claim. */
export type ClaimJwk = z.infer<typeof jwk>;
/** The counts and names a claim gives for its session. */
export type CallSummary = z.infer<typeof callSummary>;
