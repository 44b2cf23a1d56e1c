import { canonicalBytes, CmcpError, toBase64Url, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { claimSchema, type Claim } from "./claim.ts";

/** The only profile a Trust Record is issued under. */
export const TRACE_RECORD_PROFILE = "tag:agentrust-io.com,2026:trace-v0.2";
/** What `model` says: the gateway sees calls, never the model that made them. */
export const MODEL_NOT_ASSERTED = "not-asserted";
/** `appraisal.verifier` of a record nobody has appraised: an attester does not appraise its own evidence (RFC 9334 section 3). */
export const NO_SELF_APPRAISAL = "urn:cmcp:appraisal:none:the-gateway-does-not-appraise-itself";

const { iat, subject, runtime, policy, data_class, tool_transcript, cnf } = claimSchema.shape.trace.shape;

const unsignedTraceRecordSchema = z.strictObject({
  eat_profile: z.literal(TRACE_RECORD_PROFILE),
  iat,
  subject,
  model: z.strictObject({ provider: z.literal(MODEL_NOT_ASSERTED), model_id: z.literal(MODEL_NOT_ASSERTED) }),
  runtime,
  policy,
  data_class,
  tool_transcript: tool_transcript.pick({ hash: true, call_count: true }),
  build_provenance: z.strictObject({
    /** No builder has attested to the script. */
    slsa_level: z.literal(0),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  }),
  appraisal: z.strictObject({ status: z.literal("none"), verifier: z.literal(NO_SELF_APPRAISAL) }),
  cnf,
});

/** A TRACE v0.2 Trust Record as this gateway issues it; an unknown member is refused. */
export const traceRecordSchema = unsignedTraceRecordSchema.extend({
  /** Ed25519, 64 bytes, base64url without padding. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
/** A Trust Record before it is signed. */
export type UnsignedTraceRecord = z.infer<typeof unsignedTraceRecordSchema>;
/** A signed TRACE v0.2 Trust Record. */
export type TraceRecord = z.infer<typeof traceRecordSchema>;

/**
 * The Trust Record of a claim: the same statements for readers that know TRACE and not this gateway.
 *
 * @param facts `buildDigest`: `sha256:` and hex of the program that runs, by its own account.
 * @throws CmcpError `INTERNAL` when the parts do not make a record that a verifier would read.
 */
export function buildTraceRecord(claim: Claim, { buildDigest }: { readonly buildDigest: string }): UnsignedTraceRecord {
  const { trace } = claim;
  const parsed = unsignedTraceRecordSchema.safeParse({
    eat_profile: TRACE_RECORD_PROFILE,
    iat: trace.iat,
    subject: trace.subject,
    model: { provider: MODEL_NOT_ASSERTED, model_id: MODEL_NOT_ASSERTED },
    runtime: trace.runtime,
    policy: trace.policy,
    data_class: trace.data_class,
    tool_transcript: { hash: trace.tool_transcript.hash, call_count: trace.tool_transcript.call_count },
    build_provenance: { slsa_level: 0, digest: buildDigest },
    appraisal: { status: "none", verifier: NO_SELF_APPRAISAL },
    cnf: trace.cnf,
  });
  if (parsed.success) return parsed.data;
  throw new CmcpError("INTERNAL", `a trace record is not well formed: ${schemaProblem(parsed.error).text}`);
}

/** The bytes a Trust Record's signature is made over: the canonical JSON of everything but the signature. */
export function traceRecordSigningInput(record: UnsignedTraceRecord & { signature?: string }): Uint8Array<ArrayBuffer> {
  const { signature: _, ...body } = record;
  return canonicalBytes(body);
}

/** The signed record. @param sign Ed25519 with the key in the record's `cnf`; returns 64 bytes. */
export function signTraceRecord(record: UnsignedTraceRecord, sign: (bytes: Uint8Array) => Uint8Array): TraceRecord {
  return { ...record, signature: toBase64Url(sign(traceRecordSigningInput(record))) };
}
