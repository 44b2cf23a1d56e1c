import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { Instance } from "../testing/instance.ts";
import { altered, claimOf, entriesOf } from "../testing/session.ts";
import { advisoryDenialsIn } from "./advisory.ts";
import { conditionsOf, conditionsOfClaim, modeOfClaim } from "./conditions.ts";
import { completenessOf, coveredBy } from "./covered.ts";
import { factsOf } from "./session-facts.ts";

const instance = new Instance();
const entries = entriesOf(instance);
const [start, first] = entries as [AuditEntry, AuditEntry];
const rootWith = (detail: Record<string, string>): AuditEntry[] => [
  { ...start, detail: { ...start.detail, ...detail } },
  ...entries.slice(1),
];

test("what a root entry says of its session is read, and nothing from one that says it otherwise", () => {
  assert.deepEqual(
    conditionsOf(
      factsOf(
        rootWith({ enforcement_mode: "silent", channel: "sealed", history: "complete", provisioning: "unsigned" }),
      ),
    ),
    {
      mode: "silent",
      isolation: "network-namespace",
      channel: "sealed",
      sealKeys: [],
      history: "complete",
      provisioning: "unsigned",
      storage: null,
      restoredFrom: [],
      advisoryDenials: 0,
    },
  );
  for (const [history, known] of [
    ["incomplete", "incomplete"],
    ["complete ", "unknown"],
  ] as const)
    assert.equal(conditionsOf(factsOf(rootWith({ history }))).history, known);
  const { mode, isolation, channel } = conditionsOf(factsOf(rootWith({ enforcement_mode: "other" })));
  assert.deepEqual([mode, isolation, channel], [null, null, null]);
  assert.equal(conditionsOf(factsOf([])).history, "unknown");
});

test("a claim names its mode, and its firmware text what surrounds the process, before entries do", () => {
  const claim = claimOf(instance, entries);
  for (const [written, mode] of [
    ["enforce", "enforcing"],
    ["advisory", "advisory"],
    ["silent", "silent"],
  ] as const)
    assert.equal(modeOfClaim(altered(claim, (draft) => void (draft.trace.policy.enforcement_mode = written))), mode);
  const covered = coveredBy(factsOf(rootWith({ channel: "sealed", isolation: "none", history: "complete" })));
  const { isolation, channel, history } = conditionsOfClaim(claim, covered);
  assert.deepEqual([isolation, channel, history], ["network-namespace", "plain", "complete"]);
  const unsaid = altered(claim, (draft) => void (draft.trace.runtime.firmware_version = "firmware"));
  const fromEntries = conditionsOfClaim(unsaid, covered);
  assert.deepEqual([fromEntries.isolation, fromEntries.channel], ["none", "sealed"]);
  const alone = conditionsOfClaim(unsaid, null);
  assert.deepEqual(
    [alone.isolation, alone.channel, alone.history, alone.advisoryDenials],
    [null, null, "unknown", null],
  );
});

test("refusals that were let through are calls that were refused so, and questions, however they are counted", () => {
  const count = (fields: Partial<AuditEntry>): number => advisoryDenialsIn({ ...first, ...fields });
  assert.equal(count({}), 0);
  assert.equal(count({ policy_decision: "advisory_deny" }), 1);
  assert.equal(count({ policy_decision: "fault", detail: { advisory_decision: "deny" } }), 1);
  assert.equal(count({ detail: { questions_advisory_deny: 3 } }), 3);
  assert.equal(count({ policy_decision: "advisory_deny", detail: { questions_advisory_deny: 2 } }), 3);
  for (const value of [0, -1, 1.5, 2 ** 53, "none"])
    assert.equal(count({ detail: { questions_advisory_deny: value } }), 1, `${value}`);
});

test("covered entries are a closed session or the beginning of one", () => {
  assert.equal(completenessOf(coveredBy(factsOf(entries))), "closed session");
  assert.equal(completenessOf(coveredBy(factsOf(entries.slice(0, -1)))), "open prefix");
  assert.equal(coveredBy(factsOf(entries.slice(0, 2)))?.length, 2);
  assert.equal(coveredBy(factsOf([])), null);
  assert.equal(completenessOf(null), "unknown");
});
