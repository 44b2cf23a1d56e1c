import assert from "node:assert/strict";
import { test } from "node:test";
import { buildClaim } from "./build.ts";
import { claimSchema, type Claim } from "./claim.ts";
import { signClaim } from "./sign.ts";
import { call, entriesOf, inputOf, POLICY, signWithKey } from "./testing/session.ts";

const claim = signClaim(buildClaim(inputOf(entriesOf(call("echo", "allow")))), signWithKey);
const accepted = (value: unknown): boolean => claimSchema.safeParse(value).success;

/** Every object of a claim, each rebuilt with `change` applied to it alone. */
function objectsChanged(
  value: unknown,
  change: (object: Record<string, unknown>) => Record<string, unknown>[],
): unknown[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => objectsChanged(item, change).map((changed) => value.with(index, changed)));
  if (typeof value !== "object" || value === null) return [];
  const object = value as Record<string, unknown>;
  const below = Object.entries(object).flatMap(([key, member]) =>
    objectsChanged(member, change).map((changed) => ({ ...object, [key]: changed })),
  );
  return [...change(object), ...below];
}

test("nothing may be added to a claim, at any depth", () => {
  const added = objectsChanged(claim, (object) => [{ ...object, appraisal: { status: "none" } }]);
  assert.equal(added.length, 13);
  for (const value of added) assert.ok(!accepted(value), JSON.stringify(value));
});

test("nothing a claim requires may be left out, and an absent optional is absent, not null", () => {
  const without = objectsChanged(claim, (object) =>
    Object.keys(object).map((key) => Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))),
  );
  assert.ok(without.length > 40);
  for (const value of without) assert.ok(!accepted(value), JSON.stringify(value));
  const optional = ["prev_claim_hash", "call_log_summary", "agent_identity", "attestation_evidence"] as const;
  for (const member of optional)
    assert.ok(!accepted({ ...claim, gateway: { ...claim.gateway, [member]: null } }), member);
});

test("the optional parts are read in their documented form", () => {
  const gateway: Claim["gateway"] = {
    ...claim.gateway,
    prev_claim_hash: POLICY,
    call_log_summary: { total_calls: 1, tools_called: ["echo"], suspicious_sequences_detected: 0 },
    agent_identity: {
      manifest_id: "m",
      agent_id: "spiffe://example.org/agent",
      authenticated_subject: "spiffe://example.org/agent",
      subject_source: "config",
      issuer: "spiffe://example.org/issuer",
      issuer_key_id: "k",
      policy_bundle_hash: POLICY,
      tool_catalog_hash: POLICY,
      intent_hash: POLICY,
      enforcement_mode: "enforcing",
    },
    attestation_evidence: { raw_evidence: "AA", quote_signature: "AA", cert_chain: "PEM", ek_cert_chain: "PEM" },
  };
  assert.ok(accepted({ ...claim, gateway }));
  assert.ok(
    !accepted({
      ...claim,
      gateway: { ...gateway, agent_identity: { ...gateway.agent_identity, issuer: "https://example.org" } },
    }),
  );
  for (const change of [{ intent_hash: "reads tickets" }, { enforcement_mode: "enforce" }])
    assert.ok(
      !accepted({ ...claim, gateway: { ...gateway, agent_identity: { ...gateway.agent_identity, ...change } } }),
    );
  assert.ok(!accepted({ ...claim, gateway: { ...gateway, attestation_evidence: { collateral: "AA" } } }));
});

test("values of another form are refused", () => {
  const trace = (change: object): unknown => ({ ...claim, trace: { ...claim.trace, ...change } });
  const gateway = (change: object): unknown => ({ ...claim, gateway: { ...claim.gateway, ...change } });
  const { runtime, policy, cnf, tool_transcript: transcript } = claim.trace;
  const refused: unknown[] = [
    { ...claim, cmcp_version: "1.1" },
    { ...claim, signature: "x".repeat(129) },
    trace({ eat_profile: "tag:agentrust-io.com,2026:trace-v0.3" }),
    trace({ iat: 1_699_999_999 }),
    trace({ iat: 2 ** 53 }),
    trace({ subject: "spiffe://other/tee/0123456789abcdef" }),
    trace({ runtime: { ...runtime, platform: "opaque" } }),
    trace({ runtime: { ...runtime, nonce: runtime.nonce.slice(1) } }),
    trace({ policy: { ...policy, enforcement_mode: "enforcing" } }),
    trace({ policy: { ...policy, bundle_hash: policy.bundle_hash.toUpperCase() } }),
    trace({ cnf: { jwk: { ...cnf.jwk, crv: "P-256" } } }),
    trace({ cnf: { jwk: { ...cnf.jwk, kid: "key-1" } } }),
    trace({ tool_transcript: { ...transcript, call_count: -1 } }),
    trace({ tool_transcript: { ...transcript, entries: [{ tool_name: "t", data_class: "c", decision: "step_up" }] } }),
    gateway({ session_id: "label" }),
    gateway({ sequence_number: 0 }),
    gateway({ audit_chain: { root: "genesis", tip: claim.gateway.audit_chain.tip, length: 1 } }),
    gateway({ attestation_generated_at: "now" }),
  ];
  for (const value of refused) assert.ok(!accepted(value), JSON.stringify(value));
});

test("texts, lists and numbers are read up to their bounds, and not beyond", () => {
  const trace = (change: object): unknown => ({ ...claim, trace: { ...claim.trace, ...change } });
  const gateway = (change: object): unknown => ({ ...claim, gateway: { ...claim.gateway, ...change } });
  const summary = (change: object): unknown => gateway({ call_summary: { ...claim.gateway.call_summary, ...change } });
  const graph = (change: object): unknown =>
    summary({ call_graph_summary: { ...claim.gateway.call_summary.call_graph_summary, ...change } });
  const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
  const texts = (count: number): string[] => times(count, "t");
  const spiffe = (length: number): string => "spiffe://e.org/".padEnd(length, "a");
  const identity = {
    manifest_id: "m",
    agent_id: spiffe(20),
    authenticated_subject: spiffe(20),
    subject_source: "config",
    issuer: spiffe(20),
    issuer_key_id: "k",
    policy_bundle_hash: POLICY,
    tool_catalog_hash: POLICY,
  };
  const killSwitch = { enabled: true, window_seconds: 1, deny_rate_threshold: 1, min_calls: 1 };
  const bounded: readonly (readonly [string, number, number, (value: number) => unknown])[] = [
    ["a text", 4096, 4097, (length) => trace({ data_class: "c".repeat(length) })],
    ["tools", 50_000, 50_001, (count) => summary({ tools_invoked: texts(count) })],
    ["domains", 64, 65, (count) => graph({ compliance_domains_touched: texts(count) })],
    ["events", 1024, 1025, (count) => graph({ cross_boundary_events: times(count, { at: 1 }) })],
    ["an event's member", 128, 129, (length) => graph({ cross_boundary_events: [{ ["m".repeat(length)]: 1 }] })],
    ["an identity", 2048, 2049, (length) => gateway({ agent_identity: { ...identity, issuer: spiffe(length) } })],
    ["exceptions", 1024, 1025, (count) => gateway({ catalog_exceptions: times(count, {}) })],
    ["an exception's member", 128, 129, (length) => gateway({ catalog_exceptions: [{ ["m".repeat(length)]: "" }] })],
    [
      "logged tools",
      50_000,
      50_001,
      (count) =>
        gateway({
          call_log_summary: { total_calls: 0, tools_called: texts(count), suspicious_sequences_detected: 0 },
        }),
    ],
    ["a threshold", 1, 1.01, (rate) => gateway({ kill_switch: { ...killSwitch, deny_rate_threshold: rate } })],
    ["no threshold", 0.01, 0, (rate) => gateway({ kill_switch: { ...killSwitch, deny_rate_threshold: rate } })],
    ["a window", 1, 0, (seconds) => gateway({ kill_switch: { ...killSwitch, window_seconds: seconds } })],
    ["calls of a window", 1, 0, (calls) => gateway({ kill_switch: { ...killSwitch, min_calls: calls } })],
    ["time", 1_700_000_000, 1_699_999_999, (iat) => trace({ iat })],
    ["a chain", 1, 0, (length) => gateway({ audit_chain: { ...claim.gateway.audit_chain, length } })],
    ["a validity", 0, -1, (seconds) => gateway({ attestation_validity_seconds: seconds })],
    ["a signature", 128, 129, (length) => ({ ...claim, signature: "s".repeat(length) })],
  ];
  for (const [what, within, beyond, changed] of bounded)
    assert.deepEqual([accepted(changed(within)), accepted(changed(beyond))], [true, false], what);
});
