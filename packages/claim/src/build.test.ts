import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64Url } from "@cmcp/boundary";
import { buildClaim, type ClaimInput } from "./build.ts";
import { EAT_PROFILES } from "./claim.ts";
import { keyIdOf, subjectOf } from "./key-names.ts";
import { call, CATALOG, entriesOf, inputOf, jwk, POLICY, SESSION } from "./testing/session.ts";

const entries = entriesOf(
  call("get_record", "redact", {
    session_sensitivity_after: "hipaa_phi",
    effective_data_class: "hipaa_phi",
    detail: { policy_hash: POLICY, compliance_domain: "hipaa_phi" },
  }),
  call("echo", "allow", { effective_data_class: "public" }),
);
const root = entries[0]?.entry_hash;
const tip = entries.at(-1)?.entry_hash;

test("a claim says of a session what its entries say, and nothing else", () => {
  const publicKey = Buffer.from(jwk.x, "base64url");
  assert.deepEqual(buildClaim(inputOf(entries)), {
    cmcp_version: "1.0",
    trace: {
      eat_profile: "tag:agentrust-io.com,2026:trace-v0.2",
      iat: 1_785_000_010,
      subject: `spiffe://cmcp.gateway/tee/${publicKey.toString("hex").slice(0, 16)}`,
      runtime: {
        platform: "software-only",
        measurement: `sha256:${"0".repeat(64)}`,
        nonce: toBase64Url(Uint8Array.from({ length: 64 }, (_, index) => index)),
        firmware_version: "software-only; isolation=network-namespace; channel=plain",
      },
      policy: { bundle_hash: POLICY, enforcement_mode: "enforce", version: "1.2.0" },
      data_class: "hipaa_phi",
      tool_transcript: {
        hash: `sha256:${tip}`,
        call_count: 2,
        entries: [
          { tool_name: "get_record", data_class: "hipaa_phi", decision: "redact" },
          { tool_name: "echo", data_class: "public", decision: "allow" },
        ],
      },
      cnf: { jwk: { ...jwk, kid: `cmcp-${publicKey.toString("hex").slice(0, 8)}` } },
    },
    gateway: {
      session_id: SESSION,
      gateway_version: "0.1.0",
      sequence_number: 1,
      audit_chain: { root, tip, length: 4 },
      call_summary: {
        tool_calls_total: 2,
        tool_calls_allowed: 1,
        tool_calls_denied: 0,
        tool_calls_faulted: 0,
        tools_invoked: ["echo", "get_record"],
        session_max_sensitivity: "hipaa_phi",
        call_graph_summary: { compliance_domains_touched: ["hipaa_phi"], cross_boundary_events: [] },
      },
      catalog: { hash: CATALOG, drift_detected: false },
      attestation_generated_at: "2026-07-25T17:20:00.000Z",
      attestation_validity_seconds: 86_400,
      attestation_stale: false,
      catalog_exceptions: [],
      kill_switch_triggered: false,
    },
  });
});

test("an optional part stands in the claim when there is one, and its member is absent when there is none", () => {
  const base = inputOf(entries);
  const claim = buildClaim({
    ...base,
    previousClaimHash: POLICY,
    session: {
      ...base.session,
      edgesRepresent: "order of calls",
      crossBoundaryEvents: [{ from: "hipaa_phi", to: "public", at: 2 }],
    },
    catalog: { hash: CATALOG, driftDetected: true },
  });
  assert.equal(claim.gateway.prev_claim_hash, POLICY);
  assert.deepEqual(claim.gateway.call_summary.call_graph_summary, {
    compliance_domains_touched: ["hipaa_phi"],
    cross_boundary_events: [{ from: "hipaa_phi", to: "public", at: 2 }],
    edges_represent: "order of calls",
  });
  assert.equal(claim.gateway.catalog.drift_detected, true);
});

test("modes are written in the claim's words, and either profile can be issued", () => {
  const modeOf = (mode: ClaimInput["policy"]["mode"]): string =>
    buildClaim(inputOf(entries, { policy: { hash: POLICY, version: "1", mode } })).trace.policy.enforcement_mode;
  assert.deepEqual([modeOf("enforcing"), modeOf("advisory"), modeOf("silent")], ["enforce", "advisory", "silent"]);
  for (const eatProfile of EAT_PROFILES)
    assert.equal(buildClaim(inputOf(entries, { eatProfile })).trace.eat_profile, eatProfile);
});

test("a report is stale once its validity has passed, not before", () => {
  const base = inputOf(entries);
  const stale = (issuedAt: number): boolean => buildClaim({ ...base, issuedAt }).gateway.attestation_stale;
  assert.deepEqual([stale(1_785_086_400), stale(1_785_086_401)], [false, true]);
});

test("parts that do not make a readable claim are refused before anything is signed", () => {
  const base = inputOf(entries);
  const [row] = base.calls.transcript;
  assert.ok(row !== undefined);
  const rowsOf = (length: number): ClaimInput["calls"] => ({
    ...base.calls,
    transcript: Array.from({ length }, () => row),
  });
  assert.equal(buildClaim({ ...base, calls: rowsOf(50_000) }).trace.tool_transcript.entries.length, 50_000);
  const refused: Partial<ClaimInput>[] = [
    { calls: rowsOf(50_001) },
    { calls: { ...base.calls, transcript: [row, { ...row, tool_name: "x".repeat(5_000) }] } },
    { jwk: { x: "AAAA" } },
    { jwk: { x: "not base64url!" } },
    { issuedAt: 0 },
    { issuedAt: 1_785_000_000.5 },
    { sequenceNumber: 0 },
    { previousClaimHash: "none" },
    { session: { ...base.session, id: "a label" } },
    { session: { ...base.session, root: "0" } },
    { session: { ...base.session, length: 0 } },
    { policy: { hash: "a", version: "1", mode: "enforcing" } },
    { catalog: { hash: "b", driftDetected: false } },
    { attestation: { ...base.attestation, measurement: "0" } },
    { attestation: { ...base.attestation, reportData: new Uint8Array(63) } },
    { attestation: { ...base.attestation, firmware: "x".repeat(5000) } },
  ];
  for (const change of refused)
    assert.throws(() => buildClaim({ ...base, ...change }), { code: "INTERNAL" }, JSON.stringify(change));
});

test("key names follow from the key's first bytes", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index + 0xe0);
  assert.equal(keyIdOf(key), "cmcp-e0e1e2e3");
  assert.equal(subjectOf(key), "spiffe://cmcp.gateway/tee/e0e1e2e3e4e5e6e7");
});
