import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { Instance, relink } from "../testing/instance.ts";
import { altered, claimOf, entriesOf, failures, judge, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";
import type { Claim } from "@cmcp/claim";
import type { Verdict } from "../verdict.ts";

const instance = new Instance();
const [start, first, second, third, fourth, fifth, end] = entriesOf(instance) as [
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
];
const load = (from: string, to: string, version = "2.0.0"): AuditEntry => ({
  ...start,
  entry_type: "policy_load",
  detail: { policy_hash: to, policy_version: version, previous_policy_hash: from },
});
const under = (entry: AuditEntry, hash: string): AuditEntry => ({
  ...entry,
  detail: { ...entry.detail, policy_hash: hash },
});

/** A claim over these entries that names this policy, verified with them. */
async function judged(
  entries: readonly AuditEntry[],
  policy: { hash: string; version?: string },
  expected: Parameters<typeof judge>[1] = {},
): Promise<Verdict> {
  const linked = relink(entries.map((entry) => ({ ...entry, timestamp_utc: start.timestamp_utc })));
  const claim: Claim = altered(claimOf(instance, linked), (draft) => {
    draft.trace.policy.bundle_hash = policy.hash;
    draft.trace.policy.version = policy.version ?? "2.0.0";
  });
  return await judge({ claim: instance.claim(claim), bundle: instance.bundle(linked) }, expected);
}

const RELOADED = [
  start,
  first,
  load(POLICY_HASH, OTHER_HASH),
  under(second, OTHER_HASH),
  third,
  under(fourth, OTHER_HASH),
  under(end, OTHER_HASH),
];

test("a session that saw a reload is accepted under its last policy, calls that were under way included", async () => {
  const verdict = await judged(RELOADED, { hash: OTHER_HASH });
  assert.deepEqual(failures(verdict), []);
  assert.match(
    verdict.checks.find(({ name }) => name === "policy of every decision")?.why ?? "",
    /2 policies .* 1 ended after/,
  );
});

test("a claim that names the policy before the reload, or another version, is rejected", async () => {
  assert.deepEqual(failures(await judged(RELOADED, { hash: POLICY_HASH })), ["policy in force POLICY_HASH_MISMATCH"]);
  assert.deepEqual(failures(await judged(RELOADED, { hash: OTHER_HASH, version: "2.0.1" })), [
    "policy in force POLICY_HASH_MISMATCH",
  ]);
});

test("an entry that is no call need not name a policy", async () => {
  const { policy_hash: _, ...detail } = { ...end.detail };
  assert.deepEqual(failures(await judged([start, first, { ...end, detail }], { hash: POLICY_HASH })), []);
});

test("a decision under a policy that had not come into force is rejected", async () => {
  for (const entries of [
    [start, under(first, OTHER_HASH), load(POLICY_HASH, OTHER_HASH), end],
    [start, under(first, OTHER_HASH), end],
    [start, load(POLICY_HASH, OTHER_HASH), under(fifth, `sha256:${"9".repeat(64)}`), end],
    [start, load(POLICY_HASH, OTHER_HASH), under(end, `sha256:${"9".repeat(64)}`)],
  ]) {
    assert.deepEqual(failures(await judged(entries, { hash: OTHER_HASH })), [
      "policy of every decision POLICY_HASH_MISMATCH",
    ]);
  }
});

test("a load that does not follow from the one before, or says nothing, is rejected", async () => {
  for (const entry of [
    load(`sha256:${"9".repeat(64)}`, OTHER_HASH),
    { ...load(POLICY_HASH, OTHER_HASH), detail: { policy_hash: OTHER_HASH } },
    { ...load(POLICY_HASH, OTHER_HASH), detail: null },
  ]) {
    assert.deepEqual(failures(await judged([start, entry, end], { hash: OTHER_HASH })), [
      "policy of every decision POLICY_HASH_MISMATCH",
    ]);
  }
});

test("a pinned policy must be the only one that decided", async () => {
  assert.deepEqual(failures(await judged(RELOADED, { hash: OTHER_HASH }, { policyHash: OTHER_HASH })), [
    "policy of every decision POLICY_HASH_MISMATCH",
  ]);
  assert.deepEqual(failures(await judged([start, first, end], { hash: POLICY_HASH }, { policyHash: POLICY_HASH })), []);
});

test("an enforcing gateway's record holds no call that was let through against policy", async () => {
  const advisory: AuditEntry = { ...first, policy_decision: "advisory_deny" };
  assert.deepEqual(failures(await judged([start, advisory, end], { hash: POLICY_HASH })), [
    "mode of every decision CLAIM_INCONSISTENT",
  ]);
});
