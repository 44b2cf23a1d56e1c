/** What is asked of an entry made here agrees with what readers ask of any. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SessionChain } from "./chain.ts";
import { auditEntrySchema, MAX_DETAIL_MEMBERS, MAX_ENTRY_TEXT, type AuditEntry } from "./entry.ts";
import { POLICY } from "./testing/instance.ts";
import { unreadableMember } from "./readable.ts";

const good = new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90", () => 0).append({ entry_type: "session_start" });

const text = fc.constantFrom("", "x", "x".repeat(MAX_ENTRY_TEXT), "x".repeat(MAX_ENTRY_TEXT + 1));
const nullable = fc.option(text);
const time = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
const detail = fc.oneof(
  fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom("k".repeat(128), "k".repeat(129))),
    fc.oneof(text, fc.double(), fc.integer()),
    { noNullPrototype: true },
  ),
  fc
    .integer({ min: MAX_DETAIL_MEMBERS - 1, max: MAX_DETAIL_MEMBERS + 1 })
    .map((count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]))),
);
const evidence = fc.record({
  issuer: text,
  issuer_key_id: fc.constantFrom("0".repeat(64), "0"),
  signature: text,
  evidence_hash: fc.constantFrom(POLICY, "md5:0"),
  evidence_type: fc.constant("opaque-receipt" as const),
  linked_call_id: text,
});
/** Whatever the types of an entry allow a caller to say; what only the chain says is as the chain says it. */
const entries: fc.Arbitrary<AuditEntry> = fc
  .record(
    {
      timestamp_utc: time,
      call_id: nullable,
      tool_name: nullable,
      server_identity: nullable,
      policy_rule_matched: nullable,
      request_payload_hash: nullable,
      response_payload_hash: nullable,
      session_sensitivity_before: nullable,
      session_sensitivity_after: nullable,
      workflow_id: nullable,
      effective_data_class: nullable,
      latency_us: fc.option(fc.oneof(fc.integer(), fc.double())),
      detail: fc.option(detail),
      external_execution_evidence: fc.option(evidence),
    },
    { requiredKeys: [] },
  )
  .map((change) => ({ ...good, ...change }));

test("an entry is readable exactly where the schema of readers says so", () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(entries, (entry) => {
      const readable = auditEntrySchema.safeParse(entry).success;
      seen.add(readable);
      assert.equal(unreadableMember(entry) === null, readable, unreadableMember(entry) ?? "all well");
    }),
    { numRuns: 2_000 },
  );
  assert.equal(seen.size, 2);
});

test("each member by itself is found and named", () => {
  const long = "x".repeat(MAX_ENTRY_TEXT + 1);
  const bad: Partial<AuditEntry>[] = [
    { tool_name: long },
    { effective_data_class: long },
    { timestamp_utc: new Date(253_402_300_800_000).toISOString() },
    { latency_us: -1 },
    { latency_us: 0.5 },
    { detail: { a: long } },
    { detail: { a: Number.NaN } },
    { detail: { ["k".repeat(129)]: 1 } },
    { detail: Object.fromEntries(Array.from({ length: MAX_DETAIL_MEMBERS + 1 }, (_, index) => [`k${index}`, index])) },
    {
      external_execution_evidence: {
        issuer: long,
        issuer_key_id: "0".repeat(64),
        signature: "s",
        evidence_hash: POLICY,
        evidence_type: "opaque-receipt",
        linked_call_id: "c",
      },
    },
  ];
  for (const change of bad) {
    assert.equal(unreadableMember({ ...good, ...change }), Object.keys(change)[0]);
    assert.ok(!auditEntrySchema.safeParse({ ...good, ...change }).success);
  }
});
