import { CmcpError, fromBase64Url, toBase64Url, schemaProblem } from "@cmcp/boundary";
import { claimSchema, CMCP_VERSION, type CallSummary, type EatProfile, type UnsignedClaim } from "./claim.ts";
import { firmwareText, type DeploymentMode } from "./firmware-text.ts";
import { keyIdOf, subjectOf } from "./key-names.ts";
import type { CallFacts, TranscriptEntry } from "./transcript.ts";

const MODES = { enforcing: "enforce", advisory: "advisory", silent: "silent" } as const;

/** What a kill switch is set to. */
export type KillSwitchTerms = Omit<NonNullable<UnsignedClaim["gateway"]["kill_switch"]>, "enabled" | "trigger">;

/** Everything a claim is made of, as plain values. */
export interface ClaimInput {
  readonly eatProfile: EatProfile;
  /** Seconds since the epoch, by a clock the host sets. */
  readonly issuedAt: number;
  /** The instance's public key, base64url. */
  readonly jwk: { readonly x: string };
  readonly gatewayVersion: string;
  readonly session: {
    readonly id: string;
    readonly root: string;
    readonly tip: string;
    readonly length: number;
    readonly crossBoundaryEvents: CallSummary["call_graph_summary"]["cross_boundary_events"];
    /** What an edge of the call graph stands for. */
    readonly edgesRepresent?: string;
  };
  /** What follows from the session's entries: a {@link CallSummaryBuilder} that was given each of them, in the order of its chain. */
  readonly calls: CallFacts;
  readonly policy: { readonly hash: string; readonly version: string; readonly mode: keyof typeof MODES };
  readonly catalog: { readonly hash: string; readonly driftDetected: boolean };
  readonly attestation: {
    readonly platform: UnsignedClaim["trace"]["runtime"]["platform"];
    readonly measurement: string;
    /** 64 bytes. */
    readonly reportData: Uint8Array;
    /** The platform's own text. */
    readonly firmware: string;
    /** Milliseconds since the epoch. */
    readonly generatedAt: number;
    readonly validitySeconds: number;
    /** What of the platform's evidence the claim carries; none for software-only. */
    readonly evidence?: UnsignedClaim["gateway"]["attestation_evidence"];
  };
  readonly surroundings: DeploymentMode;
  /** What the kill switch is set to; absent where it is not enabled. */
  readonly killSwitch?: KillSwitchTerms | undefined;
  /** The agent whose manifest the session was opened under; absent without one. */
  readonly agentIdentity?: UnsignedClaim["gateway"]["agent_identity"];
  /** Counts the instance's claims from 1. */
  readonly sequenceNumber: number;
  /** Hash of the instance's claim before this one; none for the first. */
  readonly previousClaimHash?: string;
}

/** Calls in the transcript of one claim. */
const MAX_TRANSCRIPT = 50_000;

/**
 * The claim about one session. Transcript and counts are those of the entries, never taken from elsewhere.
 * @throws CmcpError `INTERNAL` when the parts do not make a claim that a verifier would read.
 */
export function buildClaim(input: ClaimInput): UnsignedClaim {
  const publicKey = fromBase64Url(input.jwk.x);
  if (publicKey === undefined) throw new CmcpError("INTERNAL", "the signing key is not base64url");
  const { trace, maxSensitivity, summary, trigger } = traceOf(input, publicKey);
  const { session, attestation } = input;
  const claim: UnsignedClaim = {
    cmcp_version: CMCP_VERSION,
    trace,
    gateway: {
      session_id: session.id,
      gateway_version: input.gatewayVersion,
      sequence_number: input.sequenceNumber,
      ...(input.previousClaimHash === undefined ? {} : { prev_claim_hash: input.previousClaimHash }),
      audit_chain: { root: session.root, tip: session.tip, length: session.length },
      call_summary: { ...summary, session_max_sensitivity: maxSensitivity },
      catalog: { hash: input.catalog.hash, drift_detected: input.catalog.driftDetected },
      attestation_generated_at: new Date(attestation.generatedAt).toISOString(),
      attestation_validity_seconds: attestation.validitySeconds,
      attestation_stale: input.issuedAt * 1000 > attestation.generatedAt + attestation.validitySeconds * 1000,
      catalog_exceptions: [],
      ...(input.agentIdentity === undefined ? {} : { agent_identity: input.agentIdentity }),
      kill_switch_triggered: trigger !== null,
      ...(input.killSwitch === undefined
        ? {}
        : { kill_switch: { ...input.killSwitch, enabled: true, ...(trigger === null ? {} : { trigger }) } }),
      ...(attestation.evidence === undefined ? {} : { attestation_evidence: attestation.evidence }),
    },
  };
  return requireWellFormed(claim);
}

/** The claim, if a verifier would read it. Of a long transcript each distinct row is looked at once, and none is copied. */
function requireWellFormed(claim: UnsignedClaim): UnsignedClaim {
  const { entries } = claim.trace.tool_transcript;
  if (entries.length > MAX_TRANSCRIPT)
    throw new CmcpError("INTERNAL", `a claim's transcript has at most ${MAX_TRANSCRIPT} calls`);
  const { data, error } = claimSchema.safeParse({ ...withTranscript(claim, [...new Set(entries)]), signature: "" });
  if (data === undefined) throw new CmcpError("INTERNAL", `a claim is not well formed: ${schemaProblem(error).text}`);
  const { signature: _, ...unsigned } = data;
  return withTranscript(unsigned, entries);
}

function withTranscript(claim: UnsignedClaim, entries: TranscriptEntry[]): UnsignedClaim {
  const { trace } = claim;
  return { ...claim, trace: { ...trace, tool_transcript: { ...trace.tool_transcript, entries } } };
}

function traceOf(input: ClaimInput, publicKey: Uint8Array) {
  const { session, attestation, policy, calls: facts } = input;
  return {
    maxSensitivity: facts.maxSensitivity,
    trigger: facts.killSwitchTrigger,
    trace: {
      eat_profile: input.eatProfile,
      iat: input.issuedAt,
      subject: subjectOf(publicKey),
      runtime: {
        platform: attestation.platform,
        measurement: attestation.measurement,
        nonce: toBase64Url(attestation.reportData),
        firmware_version: firmwareText(attestation.firmware, input.surroundings),
      },
      policy: { bundle_hash: policy.hash, enforcement_mode: MODES[policy.mode], version: policy.version },
      data_class: facts.maxSensitivity,
      tool_transcript: { hash: `sha256:${session.tip}`, call_count: facts.total, entries: [...facts.transcript] },
      cnf: { jwk: { kty: "OKP" as const, crv: "Ed25519" as const, x: input.jwk.x, kid: keyIdOf(publicKey) } },
    },
    summary: {
      tool_calls_total: facts.total,
      tool_calls_allowed: facts.allowed,
      tool_calls_denied: facts.denied,
      tool_calls_faulted: facts.faulted,
      tools_invoked: [...facts.toolsInvoked],
      call_graph_summary: {
        compliance_domains_touched: [...facts.complianceDomains],
        cross_boundary_events: session.crossBoundaryEvents,
        ...(session.edgesRepresent === undefined ? {} : { edges_represent: session.edgesRepresent }),
      },
    },
  };
}
