import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { OperatorSignatures } from "../bundle/operator-signatures.ts";
import { Instance } from "../testing/instance.ts";
import { entriesOf, POLICY_HASH } from "../testing/session.ts";
import { factsOf } from "./session-facts.ts";

const entries = entriesOf(new Instance());
const [start, call] = entries as [AuditEntry, AuditEntry];

test("entries that were asked for by number are kept, and no others", () => {
  const facts = factsOf(entries, { numbers: new Set([0, 3, 99]), calls: false });
  assert.deepEqual([facts.at(0), facts.at(1), facts.at(3), facts.at(99)], [start, undefined, entries[3], undefined]);
  assert.deepEqual([facts.length, facts.root, facts.last, facts.calls], [entries.length, start, entries.at(-1), null]);
});

test("a session has a bounded number of policies", () => {
  const hashOf = (number: number): string => `sha256:${number.toString(16).padStart(64, "0")}`;
  const loaded = function* (count: number): Generator<AuditEntry> {
    yield start;
    for (let number = 1; number < count; number += 1)
      yield {
        ...start,
        entry_type: "policy_load",
        detail: {
          policy_hash: hashOf(number),
          policy_version: "1",
          previous_policy_hash: number === 1 ? POLICY_HASH : hashOf(number - 1),
        },
      };
  };
  assert.equal(factsOf(loaded(10_000)).policies.ok, true);
  assert.deepEqual(factsOf(loaded(10_001)).policies, { ok: false, why: "entry 10000 loads more than 10000 policies" });
});

test("the transcript is folded no further than any claim could hold", () => {
  const named = function* (): Generator<AuditEntry> {
    for (let number = 0; number < 17_500; number += 1) yield { ...call, tool_name: `${number}`.padEnd(4_000, "x") };
  };
  const { calls, length } = factsOf(named(), { numbers: new Set(), calls: true });
  assert.ok(calls !== null && calls.total < length && calls.total > 16_000);
});

test("a finding names some of the keys and entries, however many there are", () => {
  const signatures = new OperatorSignatures();
  for (let number = 0; number < 40; number += 1) signatures.add(number, number % 2 === 0 ? `key${number}` : null);
  assert.equal(signatures.count, 40);
  assert.equal(signatures.isSigned, false);
  assert.equal(signatures.unsigned, Array.from({ length: 16 }, (_, index) => index * 2 + 1).join(", "));
  assert.match(signatures.keys, /^key0, .*, key30 and others$/);
});
