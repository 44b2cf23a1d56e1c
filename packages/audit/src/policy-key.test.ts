import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isPolicyKeyEntry,
  policyKeyDetail,
  policyKeyStatementOf,
  signedPolicyKeySchema,
  type SignedPolicyKey,
} from "./policy-key.ts";
import { WritingInstance } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const SIGNATURES = { key: "k".repeat(43), signature: "s".repeat(86) };
const [PRESENT, NEXT] = ["p".repeat(43), "n".repeat(43)];

/** A succession and a revocation, as operators sign them for an instance. */
function statements(instance: string): { succession: SignedPolicyKey; revocation: SignedPolicyKey } {
  const members = { v: 1, instance, sequence: 3, reason: "why", policy_key: PRESENT } as const;
  return {
    succession: {
      statement: { ...members, purpose: "policy-key-succeed", next_key: NEXT },
      ...SIGNATURES,
      present_signature: "t".repeat(86),
    },
    revocation: { statement: { ...members, purpose: "policy-key-revoke" }, ...SIGNATURES },
  };
}

test("an entry has the whole signed statement, and a log's state has all of them in order", () => {
  const instance = new WritingInstance();
  instance.start(A);
  const { succession, revocation } = statements(instance.name);
  const two = { ...revocation, signature: "r".repeat(86) };
  for (const signed of [succession, two]) {
    const entry = instance.entry(A, { entry_type: "break_glass_used", detail: policyKeyDetail(signed) });
    assert.ok(isPolicyKeyEntry(entry));
    assert.deepEqual(policyKeyStatementOf(entry, instance.name), signed);
    for (const other of [{ entry_type: "fault" as const }, { detail: null }, { detail: { reason: "other" } }]) {
      assert.ok(!isPolicyKeyEntry({ ...entry, ...other }));
      assert.equal(policyKeyStatementOf({ ...entry, ...other }, instance.name), null);
    }
    assert.equal(policyKeyStatementOf(entry, "another"), null);
  }
  assert.deepEqual(instance.log.state.policyKeys, [succession, two]);
});

test("a succession has the present key's signature and the next key, a revocation neither", () => {
  const { succession, revocation } = statements("A".repeat(43));
  const read = (signed: object): boolean => signedPolicyKeySchema.safeParse(signed).success;
  assert.ok(read(succession) && read(revocation));
  const { present_signature, ...unsigned } = succession;
  assert.ok(!read(unsigned) && !read({ ...revocation, present_signature }));
  assert.ok(!read({ ...revocation, statement: { ...revocation.statement, next_key: NEXT } }));
  assert.ok(!read({ ...succession, statement: { ...revocation.statement, purpose: "policy-key-succeed" } }));
  for (const length of [42, 44])
    assert.ok(!read({ ...revocation, statement: { ...revocation.statement, policy_key: "p".repeat(length) } }));
});
