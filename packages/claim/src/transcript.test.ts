import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DECISIONS, type AuditEntry } from "@cmcp/audit/schema";
import { CallSummaryBuilder, claimDecision, type CallFacts } from "./transcript.ts";
import { call, entriesOf, POLICY } from "./testing/session.ts";

const [template] = entriesOf(call("t", "allow")).slice(1);
assert.ok(template !== undefined);

const entry = fc
  .record({
    entry_type: fc.constantFrom<AuditEntry["entry_type"]>(
      "tool_call",
      "tool_call",
      "tool_call",
      "session_start",
      "session_end",
      "fault",
      "egress_denied",
    ),
    tool_name: fc.constantFrom(null, "a", "b", "Z", "ä"),
    policy_decision: fc.constantFrom(null, ...DECISIONS),
    effective_data_class: fc.constantFrom(null, "public", "pii"),
    session_sensitivity_after: fc.constantFrom(null, "public", "pii", "hipaa_phi"),
    detail: fc.constantFrom<AuditEntry["detail"]>(
      null,
      {},
      { compliance_domain: "pii" },
      { compliance_domain: "mnpi" },
      { compliance_domain: 3 },
      { session_max_sensitivity: "mnpi" },
      { session_max_sensitivity: 3 },
    ),
  })
  .map((fields): AuditEntry => ({ ...template, ...fields }));

function folded(entries: readonly AuditEntry[]): CallFacts {
  const fold = new CallSummaryBuilder();
  for (const one of entries) fold.add(one);
  return fold.finish();
}

test("the fold counts what a recount of the entries counts", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      const facts = folded(entries);
      const calls = entries.filter((one) => one.entry_type === "tool_call");
      const count = (...decisions: (string | null)[]): number =>
        calls.filter((one) => decisions.includes(one.policy_decision)).length;
      assert.equal(facts.total, calls.length);
      assert.equal(facts.allowed, count("allow"));
      assert.equal(facts.denied, count("deny", "advisory_deny"));
      assert.equal(facts.faulted, count("fault"));
      assert.deepEqual(
        facts.toolsInvoked,
        ["Z", "a", "b", "ä"].filter((name) => calls.some((one) => one.tool_name === name)),
      );
      assert.deepEqual(
        facts.complianceDomains,
        ["mnpi", "pii"].filter((domain) => calls.some((one) => one.detail?.["compliance_domain"] === domain)),
      );
      const said = entries.map((one) =>
        typeof one.detail?.["session_max_sensitivity"] === "string"
          ? one.detail["session_max_sensitivity"]
          : one.session_sensitivity_after,
      );
      assert.equal(facts.maxSensitivity, said.findLast((label) => label !== null) ?? "public");
      const named = calls.filter((one) => one.tool_name !== null);
      assert.deepEqual(
        facts.transcript.map((one) => one.tool_name),
        named.map((one) => one.tool_name),
      );
      for (const [index, one] of named.entries()) {
        const { data_class: dataClass, decision } = facts.transcript[index] ?? {};
        assert.equal(dataClass, one.effective_data_class ?? "unknown");
        assert.ok(
          decision === one.policy_decision ||
            (decision === "deny" && ["step_up", "defer"].includes(one.policy_decision ?? "")) ||
            (decision === "n/a" && one.policy_decision === null),
        );
      }
    }),
    { numRuns: 300 },
  );
});

test("a call that waits for a human was not let through", () => {
  assert.deepEqual(DECISIONS.map(claimDecision), [
    "allow",
    "deny",
    "redact",
    "advisory_deny",
    "deny",
    "deny",
    "fault",
    "n/a",
  ]);
  assert.equal(claimDecision(null), "n/a");
});

test("a session without calls is public and empty", () => {
  assert.deepEqual(folded([]), {
    transcript: [],
    total: 0,
    allowed: 0,
    denied: 0,
    faulted: 0,
    toolsInvoked: [],
    complianceDomains: [],
    maxSensitivity: "public",
    killSwitchTrigger: null,
  });
});

test("what tripped the kill switch first is named, by the entries that say so alone", () => {
  const tripped = (reason: string, entry_type: AuditEntry["entry_type"] = "break_glass_used"): AuditEntry => ({
    ...template,
    entry_type,
    detail: { reason },
  });
  const [byRate, byOperator] = [tripped("kill_switch_triggered"), tripped("kill_switch_operator_trip")];
  for (const [entries, trigger] of [
    [[byRate], "deny_rate"],
    [[byOperator], "operator"],
    [[tripped("another"), byOperator, byRate], "operator"],
    [[tripped("another")], null],
    [[tripped("kill_switch_triggered", "tool_call"), tripped("kill_switch_triggered", "session_end")], null],
  ] as const)
    assert.equal(folded(entries).killSwitchTrigger, trigger);
});

test("a call of no known tool is counted, and stands in no list of names", () => {
  const facts = folded(entriesOf(call(null, "deny", { detail: { policy_hash: POLICY, compliance_domain: "pii" } })));
  assert.deepEqual(
    [facts.total, facts.denied, facts.transcript, facts.toolsInvoked, facts.complianceDomains],
    [1, 1, [], [], ["pii"]],
  );
});

test("facts that were read do not change with further entries, and equal rows of a transcript are one object", () => {
  const fold = new CallSummaryBuilder();
  const add = (...calls: ReturnType<typeof call>[]): void => {
    for (const one of entriesOf(...calls).slice(1, -1)) fold.add(one);
  };
  add(call("a", "allow"), call("a", "deny"));
  const first = fold.finish();
  for (let count = 0; count < 40; count += 1) add(call("a", "allow"));
  assert.deepEqual(
    [first.transcript.length, first.total, first.toolsInvoked, fold.finish().transcript.length],
    [2, 2, ["a"], 42],
  );
  assert.equal(new Set(fold.finish().transcript).size, 2);
  const bytes = Buffer.byteLength(JSON.stringify(fold.finish().transcript));
  assert.equal(fold.transcriptBytes, bytes - 1, "the array's text but for one bracket, as there is a comma less");
  const rows = [...new Set(fold.finish().transcript)].map((row) => JSON.stringify(row).length);
  assert.equal(
    fold.distinctBytes,
    rows.reduce((sum, length) => sum + length, 0),
  );
});
