import { randomUUID, webcrypto } from "node:crypto";
import { preset } from "@cmcp/appraise";
import { collectSoftware, sessionReportData } from "@cmcp/attestation";
import {
  sessionAfter,
  SessionChain,
  type AuditBundle,
  type AuditEntry,
  type EntryFields,
  type Receipt,
} from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import { buildClaim, CallSummaryBuilder, EAT_PROFILES, type Claim } from "@cmcp/claim";
import type { Expectations } from "../expectations.ts";
import type { Verdict } from "../verdict.ts";
import { verifyClaim } from "../verify-claim.ts";
import { Instance } from "./instance.ts";

export const POLICY_HASH = `sha256:${"a1".repeat(32)}`;
export const CATALOG_HASH = `sha256:${"b2".repeat(32)}`;
export const OTHER_HASH = `sha256:${"c3".repeat(32)}`;
/** When the claims here are issued, in seconds. */
export const ISSUED_AT = 1_790_000_000;

/** What a verifier that accepts these records expects; a test changes what it is about. */
export const EXPECTED: Expectations = {
  now: new Date((ISSUED_AT + 30) * 1000),
  eatProfile: EAT_PROFILES[0],
  allowSoftwareOnly: true,
  appraisal: preset("strict"),
};

function call(tool: string, decision: EntryFields["policy_decision"] & string, sensitivity: string): EntryFields {
  return {
    entry_type: "tool_call",
    call_id: `call-${tool}`,
    tool_name: tool,
    policy_decision: decision,
    session_sensitivity_after: sensitivity,
    effective_data_class: sensitivity,
    detail: { policy_hash: POLICY_HASH, compliance_domain: sensitivity === "public" ? "public" : "hipaa_phi" },
  };
}

/** A session's entries: five calls that were decided in five ways, closed unless told otherwise; `first` changes the first call. */
export function entriesOf(instance: Instance, closed = true, first: Partial<EntryFields> = {}): AuditEntry[] {
  let time = ISSUED_AT * 1000 - 60_000;
  const chain = new SessionChain(randomUUID(), () => (time += 1000));
  const root = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
  };
  const fields: EntryFields[] = [
    { entry_type: "session_start", session_sensitivity_after: "public", detail: root },
    { ...call("echo", "allow", "public"), ...first },
    call("get-env", "deny", "public"),
    call("get_patient_record", "redact", "hipaa_phi"),
    call("transfer", "step_up", "hipaa_phi"),
    call("send_message", "fault", "hipaa_phi"),
  ];
  if (closed)
    fields.push({
      entry_type: "session_end",
      session_sensitivity_after: "hipaa_phi",
      detail: { policy_hash: POLICY_HASH },
    });
  return fields.map((entry) => chain.append(entry));
}

/** The claim over these entries, whatever they are. */
export function claimOf(
  instance: Instance,
  entries: readonly AuditEntry[],
  killSwitch?: Parameters<typeof buildClaim>[0]["killSwitch"],
  agentIdentity?: Parameters<typeof buildClaim>[0]["agentIdentity"],
): Claim {
  const [first, last] = [entries[0], entries.at(-1)];
  const root = first?.entry_hash ?? "";
  const calls = new CallSummaryBuilder();
  for (const entry of entries) calls.add(entry);
  return instance.claim(
    buildClaim({
      eatProfile: EAT_PROFILES[0],
      issuedAt: ISSUED_AT,
      jwk: instance.jwk,
      gatewayVersion: "0.1.0",
      session: {
        id: last === undefined ? "" : sessionAfter(last),
        root,
        tip: last?.entry_hash ?? "",
        length: entries.length,
        crossBoundaryEvents: [],
        edgesRepresent: "calls in order",
      },
      calls: calls.finish(),
      policy: { hash: POLICY_HASH, version: "1.0.0", mode: "enforcing" },
      catalog: { hash: CATALOG_HASH, driftDetected: false },
      attestation: {
        ...collectSoftware(sessionReportData(instance.thumbprint, root), ISSUED_AT * 1000),
        validitySeconds: 86_400,
      },
      surroundings: { isolation: "network-namespace", channel: "plain" },
      sequenceNumber: 1,
      killSwitch,
      agentIdentity,
    }),
  );
}

/** A session of one instance as its parties hold it. */
export interface SessionRecord {
  readonly instance: Instance;
  readonly entries: readonly AuditEntry[];
  readonly claim: Claim;
  readonly bundle: AuditBundle;
  readonly receipts: readonly Receipt[];
}

export function recordOf(
  instance = new Instance(),
  entries: readonly AuditEntry[] = entriesOf(instance),
): SessionRecord {
  return {
    instance,
    entries,
    claim: claimOf(instance, entries),
    bundle: instance.bundle(entries),
    receipts: instance.receiptsOf(entries),
  };
}

/** Verifies values as the canonical files they are written to. */
export async function judge(
  record: {
    claim: Claim;
    bundle?: AuditBundle;
    receipts?: readonly Receipt[];
    heldClaims?: readonly Claim[];
    manifest?: Uint8Array;
  },
  expected: Partial<Expectations> = {},
): Promise<Verdict> {
  const { claim, bundle, receipts = [], heldClaims = [], manifest } = record;
  const files = {
    claim: canonicalBytes(claim),
    ...(bundle === undefined ? {} : { bundle: canonicalBytes(bundle) }),
    ...(manifest === undefined ? {} : { manifest }),
    receipts: receipts.map((receipt) => canonicalBytes(receipt)),
    heldClaims: heldClaims.map((held) => canonicalBytes(held)),
  };
  return await verifyClaim(files, { ...EXPECTED, ...expected }, webcrypto);
}

/** A copy with something changed in it. */
export function altered<T>(value: T, change: (draft: T) => void): T {
  const draft = structuredClone(value);
  change(draft);
  return draft;
}

/** The failed checks of a verdict, as name and code. */
export function failures(verdict: Verdict): string[] {
  return verdict.checks.flatMap(({ name, status, code }) => (status === "failed" ? [`${name} ${code}`] : []));
}
