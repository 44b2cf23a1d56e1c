import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import { buildClaim } from "./build.ts";
import type { Claim } from "./claim.ts";
import { signClaim } from "./sign.ts";
import { call, entriesOf, inputOf, isSignedBy, jwk, POLICY, signWithKey } from "./testing/session.ts";
import { buildTraceRecord, signTraceRecord, traceRecordSchema, traceRecordSigningInput } from "./trace-record.ts";

const claimUnder = (eatProfile: Claim["trace"]["eat_profile"]): Claim =>
  signClaim(buildClaim(inputOf(entriesOf(call("echo", "allow"), call("env", "deny")), { eatProfile })), signWithKey);
const claim = claimUnder("tag:agentrust-io.com,2026:trace-v0.2");
const buildDigest = `sha256:${"d".repeat(64)}`;
const record = signTraceRecord(buildTraceRecord(claim, { buildDigest }), signWithKey);

test("a record repeats its claim's statements and asserts neither a model nor an appraisal", () => {
  const { signature: _, ...body } = record;
  const { trace } = claim;
  assert.deepEqual(body, {
    eat_profile: "tag:agentrust-io.com,2026:trace-v0.2",
    iat: trace.iat,
    subject: trace.subject,
    model: { provider: "not-asserted", model_id: "not-asserted" },
    runtime: trace.runtime,
    policy: trace.policy,
    data_class: trace.data_class,
    tool_transcript: { hash: trace.tool_transcript.hash, call_count: 2 },
    build_provenance: { slsa_level: 0, digest: buildDigest },
    appraisal: { status: "none", verifier: "urn:cmcp:appraisal:none:the-gateway-does-not-appraise-itself" },
    cnf: trace.cnf,
  });
});

test("a record is signed over the canonical JSON of everything but its signature, and one change breaks it", () => {
  const { signature, ...body } = record;
  assert.equal(Buffer.from(traceRecordSigningInput(record)).toString(), canonicalText(body));
  assert.ok(isSignedBy(jwk, traceRecordSigningInput(record), signature));
  for (const field of Object.keys(body))
    assert.ok(!isSignedBy(jwk, traceRecordSigningInput({ ...record, [field]: "changed" }), signature), field);
});

test("a record is a v0.2 record, whichever profile its claim was issued under", () => {
  assert.equal(
    buildTraceRecord(claimUnder("tag:agentrust.io,2026:trace-v0.1"), { buildDigest }).eat_profile,
    "tag:agentrust-io.com,2026:trace-v0.2",
  );
  assert.ok(!traceRecordSchema.safeParse({ ...record, eat_profile: "tag:agentrust.io,2026:trace-v0.1" }).success);
});

test("a record has exactly the documented members, in the documented form", () => {
  assert.deepEqual(traceRecordSchema.parse(record), record);
  for (const field of Object.keys(record)) {
    const { [field]: _, ...rest } = record as Record<string, unknown>;
    assert.ok(!traceRecordSchema.safeParse(rest).success, `without ${field}`);
  }
  const refused: object[] = [
    { extra: 1 },
    { signature: "" },
    { signature: `${record.signature}A` },
    { model: { provider: "x", model_id: "y" } },
    { appraisal: { status: "affirming", verifier: record.appraisal.verifier } },
    { appraisal: { ...record.appraisal, timestamp: 1 } },
    { appraisal: { status: "none", verifier: "urn:other" } },
    { build_provenance: { slsa_level: 3, digest: POLICY } },
    { build_provenance: { slsa_level: 0, digest: "x" } },
    { tool_transcript: claim.trace.tool_transcript },
    { runtime: { ...record.runtime, rim_uri: "https://example.org" } },
  ];
  for (const change of refused)
    assert.ok(!traceRecordSchema.safeParse({ ...record, ...change }).success, JSON.stringify(change));
});

test("a digest of another form makes no record", () => {
  for (const digest of ["", "d".repeat(64), `sha384:${"d".repeat(64)}`])
    assert.throws(() => buildTraceRecord(claim, { buildDigest: digest }), { code: "INTERNAL" });
});
